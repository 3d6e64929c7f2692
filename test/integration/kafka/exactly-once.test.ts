import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freezeInTransaction, HALF, spawnCopyingWorker } from '../../support/copying-process.ts';
import { CopyingWorker, stopCopyingWorkers } from '../../support/copying-worker.ts';
import { NumberSource, TestKafka } from '../../support/kafka-data.ts';
import { uniqueName } from '../../support/names.ts';
import { poll } from '../../support/process.ts';
import { type KafkaCluster, startKafka } from '../../support/servers/kafka.ts';

const PARTITIONS = 6;

describe('exactly once with two workers', { concurrency: true }, () => {
  let cluster: KafkaCluster;
  let kafka: TestKafka;
  before(async () => {
    cluster = await startKafka();
    kafka = new TestKafka(cluster.brokers);
  });
  after(async () => {
    await stopCopyingWorkers();
    await kafka[Symbol.asyncDispose]();
    await cluster.close();
  });

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
    await poll(check, { timeoutMs: 40_000 }, () => new Error(`the group did not catch up to ${count}`));
  }

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
