import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BRIEF } from '../../../src/io/kafka/client/connection.ts';
import { withMembership } from '../../../src/io/kafka/patch/txn-offset-commit.ts';
import { NO_MEMBER } from '../../../src/io/kafka/produce/transactional-producer.ts';
import { uniqueName } from '../../lab/names.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { CopyingWorker, stopCopyingWorkers } from '../../support/copying-worker.ts';
import { NumberSource, TestKafka } from '../../support/kafka-data.ts';

const cluster = await startKafka();
const kafka = new TestKafka(cluster.brokers);
closeAfterTests({ close: stopCopyingWorkers }, kafka, cluster);

/** A worker begins within this when nothing holds it up; one that waits has to wait for longer. */
const BEGINS_MS = 3_000;

describe('transactional ids', { concurrency: true }, () => {
  const until = (what: string, check: () => boolean | Promise<boolean>) =>
    poll(check, {}, () => new Error(`waiting for "${what}" took too long`));

  const committed = async (groupId: string, topic: string) =>
    (await kafka.admin.committedOffsets(groupId, topic)).get(0) ?? 0n;

  const numbers = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => String(from + index));

  test('two deployments whose names run together work side by side, and none fences the other', async () => {
    const name = uniqueName('ids');
    // With dashes between group, topic and partition both would have the id a-ids-b-ids-0.
    const setups = await Promise.all(
      [
        { groupId: `a-${name}`, topic: `b-${name}` },
        { groupId: `a-${name}-b`, topic: name },
      ].map(async ({ groupId, topic }) => ({
        brokers: cluster.brokers,
        groupId,
        input: await kafka.createTopic('in', 1, { name: topic }),
        output: await kafka.createTopic('out', 1),
      })),
    );
    const sources = setups.map(({ input }) => new NumberSource(kafka, input, 1).start());
    const workers = await Promise.all(setups.map((setup) => new CopyingWorker(setup).start()));
    await until('many steps of both', () => workers.every(({ steps }) => steps >= 20));
    const counts = await Promise.all(sources.map((source) => source.stop()));
    for (const [index, { groupId, input, output }] of setups.entries()) {
      await until('all is copied', async () => (await committed(groupId, input)) === BigInt(counts[index]!));
      assert.deepEqual(workers[index]!.failures, []);
      assert.equal(workers[index]!.sessions, 1);
      assert.deepEqual(await kafka.readAll(output, 1), [numbers(0, counts[index]!)]);
    }
    await Promise.all(workers.map((worker) => worker.stop()));
  });

  for (const end of ['commit', 'abort'] as const) {
    test(`a worker waits for the transaction that one of an earlier version left open, by its ${end}`, async () => {
      const [input, output] = [await kafka.createTopic('in', 1), await kafka.createTopic('out', 1)];
      const groupId = uniqueName('upgrade');
      await kafka.produce(input, 0, numbers(0, 10));
      // What earlier versions called it: the worker's own id does not fence it.
      const before = kafka.connection.instance(BRIEF).producer({
        transactionalId: `${groupId}-${input}-0`,
        transactionTimeout: 60_000,
        idempotent: false,
        createPartitioner: () => () => 0,
      });
      await before.connect();
      const transaction = await before.transaction();
      const offsets = [{ topic: input, partitions: [{ partition: 0, offset: '5' }] }];
      await transaction.sendOffsets({
        consumerGroupId: groupId,
        topics: withMembership(offsets, NO_MEMBER),
      });
      await transaction.send({ topic: output, messages: numbers(0, 5).map((value) => ({ value })) });

      const worker = await new CopyingWorker({ brokers: cluster.brokers, groupId, input, output }).start();
      await until('the worker has the partition', () => worker.reader.partitions.length === 1);
      await sleep(BEGINS_MS);
      assert.deepEqual([worker.steps, await committed(groupId, input).catch(() => 0n)], [0, 0n]);
      await transaction[end]();
      await until('all is copied', async () => (await committed(groupId, input).catch(() => 0n)) === 10n);
      await worker.stop();
      await before.disconnect();
      assert.deepEqual(await kafka.readAll(output, 1), [numbers(0, 10)]);
    });
  }
});
