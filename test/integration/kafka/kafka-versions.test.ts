import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { RetryableError } from '../../../src/core/model/errors.ts';
import { BRIEF } from '../../../src/io/kafka/client/connection.ts';
import { createRunFolder } from '../../lab/cache.ts';
import { runPenstock } from '../../lab/deployment/penstock.ts';
import { uniqueName } from '../../lab/names.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { CopyingWorker, stopCopyingWorkers } from '../../support/copying-worker.ts';
import { TestKafka } from '../../support/kafka-data.ts';
import { API, KafkaProxy } from '../../support/kafka-proxy.ts';

const cluster = await startKafka();
const kafka = new TestKafka(cluster.brokers);
closeAfterTests({ close: stopCopyingWorkers }, kafka, cluster);

describe('offsets of a transaction that is not settled', { concurrency: true }, () => {
  /** A worker that has committed 10 offsets, and a transaction of another producer with offset 20, not settled yet. */
  async function pending() {
    const topics = {
      brokers: cluster.brokers,
      groupId: uniqueName('unsettled'),
      input: await kafka.createTopic('in', 1),
      output: await kafka.createTopic('out', 1),
    };
    const { groupId, input: topic } = topics;
    await kafka.produce(topic, 0, Array.from({ length: 10 }, String));
    const worker = await new CopyingWorker(topics).start();
    await poll(
      async () => (await kafka.admin.committedOffsets(groupId, topic)).get(0) === 10n,
      {},
      () => new Error('nothing was committed'),
    );
    const producer = kafka.connection.instance(BRIEF).producer({
      transactionalId: uniqueName('pending'),
      maxInFlightRequests: 1,
      idempotent: true,
    });
    await producer.connect();
    const transaction = await producer.transaction();
    // kafkajs' own request names no member, so that it passes for one of the group.
    const { topics: refused } = { topics: [{ topic, partitions: [{ partition: 0, offset: '20' }] }] };
    await worker.stop();
    await transaction.sendOffsets({ consumerGroupId: groupId, topics: refused });
    const again = await new CopyingWorker(topics).start();
    await poll(
      () => again.reader.partitions.length === 1,
      {},
      () => new Error('no partition was assigned'),
    );
    return { worker: again, partition: again.reader.partitions[0]!, topics, transaction, producer };
  }

  for (const [how, offset] of [
    ['commit', 20n],
    ['abort', 10n],
  ] as const) {
    test(`${how}: a reader waits for it, and begins where the group stands then`, async () => {
      const { worker, partition, topics, transaction, producer } = await pending();
      const { groupId, input } = topics;
      const answers = [
        worker.reader.committed(partition).then((committed) => committed?.offset),
        kafka.admin
          .committedEntries(groupId, { final: true })
          .then((entries) => entries.get(input)?.get(0)?.offset),
      ];
      let answered = 0;
      for (const answer of answers) answer.then(() => (answered += 1)).catch(() => (answered += 1));
      // What only tells how far a group is does not wait.
      const shown = (await kafka.admin.committedOffsets(groupId, input)).get(0);
      assert.equal(shown, 10n);
      assert.equal(answered, 0);
      await transaction[how]();
      assert.deepEqual(await Promise.all(answers), [offset, offset]);
      await producer.disconnect();
      await worker.stop();
    });
  }

  test('one that stays open: the partition waits, says so, and goes on when it has ended', async () => {
    const { worker, topics, transaction, producer } = await pending();
    await poll(
      () => worker.failures.length > 0,
      {},
      () => new Error('the worker does not say that it waits'),
    );
    const [failure] = worker.failures;
    assert.ok(failure instanceof RetryableError, String(failure));
    assert.match(
      failure.message,
      new RegExp(`^${topics.input}/0: a transaction with an offset of the group is not settled`),
    );
    await transaction.abort();
    await kafka.produce(topics.input, 0, ['behind']);
    await poll(
      async () => (await kafka.admin.committedOffsets(topics.groupId, topics.input)).get(0) === 11n,
      {},
      () => new Error('the worker does not go on'),
    );
    await producer.disconnect();
    await worker.stop();
  });
});

test('a Kafka that is too old is refused at the start, by what it says itself', async () => {
  const proxy = await KafkaProxy.start();
  proxy.upstream = Number(cluster.brokers[0]!.split(':')[1]);
  proxy.pretend(API.offsetFetch, 6);
  const configFile = path.join(createRunFolder('old-kafka'), 'penstock.yml');
  writeFileSync(
    configFile,
    `kafka: { brokers: ["127.0.0.1:${proxy.port}"] }
nodes: [{ name: a, url: "http://127.0.0.1:9" }]
drain: { node: a }
admin: { listen: "127.0.0.1:0" }
routes: [{ name: r, task: { labels: [job], count: 1 } }]
`,
  );
  const refusal =
    /Kafka at 127\.0\.0\.1:\d+ is too old: it has OffsetFetch up to version 6, and version 7, .* 2\.5 or newer/;
  const commands = [['worker'], ['drain'], ['topics', 'plan'], ['status']];
  const results = await Promise.all(commands.map((command) => runPenstock(command, { configFile })));
  for (const [index, { code, stdout, stderr }] of results.entries()) {
    assert.equal(code, 1, `${commands[index]}: ${stdout}${stderr}`);
    assert.match(stdout + stderr, refusal);
  }
  await proxy.close();
});
