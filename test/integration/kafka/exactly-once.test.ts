import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BRIEF } from '../../../src/io/kafka/client/connection.ts';
import { kafkaErrorType } from '../../../src/io/kafka/errors.ts';
import { uniqueName } from '../../lab/names.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { freezeInTransaction, HALF, spawnCopyingWorker } from '../../support/copying-process.ts';
import { CopyingWorker, stopCopyingWorkers } from '../../support/copying-worker.ts';
import { NumberSource, TestKafka } from '../../support/kafka-data.ts';

const PARTITIONS = 6;

/** Again while the broker is at the end of the transaction before, some milliseconds. */
async function unlessConcurrent(attempt: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (kafkaErrorType(error) !== 'CONCURRENT_TRANSACTIONS') throw error;
      await sleep(5);
    }
  }
}

const cluster = await startKafka();
const kafka = new TestKafka(cluster.brokers);
closeAfterTests({ close: stopCopyingWorkers }, kafka, cluster);

describe('exactly once with two workers', { concurrency: true }, () => {
  async function setup() {
    const input = await kafka.createTopic('in', PARTITIONS);
    const output = await kafka.createTopic('out', PARTITIONS);
    return { brokers: cluster.brokers, groupId: uniqueName('copy'), input, output };
  }

  /** Everything that was produced is in the output once and in order, for a read_committed reader. */
  async function assertCopied(output: string, count: number): Promise<void> {
    const expected = Array.from({ length: count }, (_, index) => String(index));
    for (const values of await kafka.readAll(output, PARTITIONS)) assert.deepEqual(values, expected);
  }

  async function caughtUp(topics: { groupId: string; input: string }, count: number): Promise<void> {
    const check = async () => {
      const offsets = await kafka.admin.committedOffsets(topics.groupId, topics.input);
      return offsets.size === PARTITIONS && [...offsets.values()].every((offset) => offset === BigInt(count));
    };
    await poll(check, {}, () => new Error(`the group did not catch up to ${count}`));
  }

  test('a transaction asks for its coordinators only the first time', async () => {
    const topic = await kafka.createTopic('out', 1);
    const groupId = uniqueName('copy');
    const producer = kafka.connection
      .instance(BRIEF, 10_000)
      .producer({ transactionalId: groupId, idempotent: false, retry: { retries: 0 } });
    const requests: string[] = [];
    await producer.connect();
    producer.on('producer.network.request', ({ payload }) => requests.push(payload.apiName));
    const perTransaction: number[] = [];
    for (let n = 0; n < 3; n++) {
      requests.length = 0;
      const transaction = await producer.transaction();
      const offsets = [{ topic, partitions: [{ partition: 0, offset: String(n) }] }];
      await unlessConcurrent(() => transaction.sendOffsets({ consumerGroupId: groupId, topics: offsets }));
      await transaction.send({ topic, messages: [{ partition: 0, value: String(n) }] });
      await transaction.commit();
      perTransaction.push(requests.filter((name) => name === 'GroupCoordinator').length);
    }
    await producer.disconnect();
    const [first, ...others] = perTransaction;
    assert.ok(first! >= 2, `${first} in the first transaction`);
    assert.deepEqual(others, [0, 0]);
    assert.deepEqual(await kafka.readAll(topic, 1), [['0', '1', '2']]);
  });

  test('holds when a worker joins and when one leaves', async () => {
    const topics = await setup();
    const source = new NumberSource(kafka, topics.input, PARTITIONS).start();
    const first = await new CopyingWorker(topics).start();
    await poll(
      () => first.steps > 20,
      {},
      () => new Error('the first worker does not work'),
    );
    const second = await new CopyingWorker(topics).start();
    await poll(
      () => second.steps > 20 && first.reader.partitions.length === 3,
      {},
      () => new Error('the second worker does not work'),
    );
    assert.deepEqual(await first.stop(), []);
    await sleep(1000);
    const count = await source.stop();
    await caughtUp(topics, count);
    assert.deepEqual(await second.stop(), []);
    assert.deepEqual([...first.failures, ...second.failures], []);
    await assertCopied(topics.output, count);
  });

  test('holds when a worker is killed in the middle of a transaction, twice', async () => {
    const topics = await setup();
    const source = new NumberSource(kafka, topics.input, PARTITIONS).start();
    const survivor = await new CopyingWorker(topics).start();
    const kills = 2;
    for (let kill = 0; kill < kills; kill++) {
      const victim = spawnCopyingWorker(topics);
      await poll(
        () => survivor.reader.partitions.length === 3,
        {},
        () => new Error(`the victim does not work: ${victim.log()}`),
      );
      await sleep(1500);
      await freezeInTransaction(victim);
      await victim.kill();
      await poll(
        () => survivor.reader.partitions.length === PARTITIONS,
        {},
        () => new Error('the survivor did not take over'),
      );
    }
    const count = await source.stop();
    await caughtUp(topics, count);
    await survivor.stop();
    const written = (await kafka.readUncommitted(topics.output, PARTITIONS)).flat();
    assert.equal(written.filter((value) => value === HALF).length, kills, 'what the victims left behind');
    await assertCopied(topics.output, count);
  });
});
