import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { kafkaErrorType } from '../../../src/io/kafka/errors.ts';
import type { GroupMembership } from '../../../src/io/kafka/patch/types.ts';
import { BatchLimit } from '../../../src/io/kafka/produce/send-rounds.ts';
import { TransactionalProducer } from '../../../src/io/kafka/produce/transactional-producer.ts';
import { highWatermarks } from '../../lab/deployment/read-topic.ts';
import { uniqueName } from '../../lab/names.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { freezeInTransaction, HALF, spawnCopyingWorker } from '../../support/copying-process.ts';
import { CopyingWorker, stopCopyingWorkers } from '../../support/copying-worker.ts';
import { NumberSource, TestKafka } from '../../support/kafka-data.ts';

const cluster = await startKafka();
const kafka = new TestKafka(cluster.brokers);
closeAfterTests({ close: stopCopyingWorkers }, kafka, cluster);

describe('fencing', { concurrency: true }, () => {
  async function setup(partitions: number) {
    const input = await kafka.createTopic('in', partitions);
    const output = await kafka.createTopic('out', partitions);
    return { brokers: cluster.brokers, groupId: uniqueName('fence'), input, output };
  }

  /** Partitions with records of transactions that are neither committed nor aborted: read_committed readers wait there. */
  async function openTransactions(topic: string): Promise<number[]> {
    const stable = await kafka.admin.offsetBounds(topic);
    const written = await highWatermarks(kafka.admin, topic);
    return [...written.keys()].filter((partition) => written.get(partition)! > stable.get(partition)!.high);
  }

  test('nothing of a worker that wakes after its partitions moved becomes visible, and it works again', async () => {
    const topics = await setup(2);
    const zombie = spawnCopyingWorker(topics);
    await zombie.waitForLog(/started/);
    const source = new NumberSource(kafka, topics.input, 2).start();
    const committed = () => kafka.admin.committedOffsets(topics.groupId, topics.input);
    await poll(
      async () => (await committed()).size === 2,
      {},
      () => new Error(`the worker does not work: ${zombie.log()}`),
    );
    await freezeInTransaction(zombie);
    const frozenAt = await committed();
    assert.ok((await openTransactions(topics.output)).length > 0, 'it stands in an open transaction');
    const heir = await new CopyingWorker(topics).start();
    await poll(
      async () => [...(await committed())].every(([partition, offset]) => offset > frozenAt.get(partition)!),
      {},
      () => new Error('nobody took over from the frozen worker'),
    );
    const before = await committed();
    zombie.resume();
    await poll(
      () => heir.reader.partitions.length === 1,
      {},
      () => new Error(`the zombie did not join again: ${zombie.log()}`),
    );
    const [kept] = heir.reader.partitions;
    const reclaimed = 1 - kept!.partition;
    const after = await committed();
    for (const [partition, offset] of before) assert.ok(after.get(partition)! >= offset);
    await sleep(1500);
    const count = await source.stop();
    await poll(
      async () => (await committed()).get(reclaimed) === BigInt(count),
      {},
      () => new Error(`the zombie does not work again: ${zombie.log()}`),
    );
    assert.equal((await zombie.stop()).code, 0, zombie.log());
    await poll(
      async () => [...(await committed()).values()].every((offset) => offset === BigInt(count)),
      {},
      () => new Error('the group did not catch up'),
    );
    await heir.stop();
    const written = (await kafka.readUncommitted(topics.output, 2)).flat();
    assert.equal(written.filter((value) => value === HALF).length, 1, 'what it wrote before it was frozen');
    const expected = Array.from({ length: count }, (_, index) => String(index));
    for (const values of await kafka.readAll(topics.output, 2)) assert.deepEqual(values, expected);
  });

  test('a transaction is refused when its member or its generation is not the current one', async () => {
    const { input, output, groupId, ...rest } = await setup(1);
    const worker = await new CopyingWorker({ input, output, groupId, ...rest }).start();
    await poll(
      () => worker.reader.partitions.length === 1,
      {},
      () => new Error('no partition was assigned'),
    );
    const { membership } = worker.reader.partitions[0]!;
    const refused = async (made: GroupMembership) => {
      const producer = await TransactionalProducer.open(kafka.connection, {
        transactionalId: uniqueName('made-up'),
        timeoutMs: 10_000,
        limit: new BatchLimit(),
      });
      const record = {
        topic: output,
        partition: 0,
        key: null,
        value: Buffer.from('never'),
        headers: {},
        timestamp: 1,
      };
      const source = { groupId, membership: made, topic: input, partitions: [{ partition: 0, offset: 7n }] };
      const error = await producer.send(source, [record]).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      await producer.close();
      return kafkaErrorType(error);
    };
    assert.equal(
      await refused({ ...membership, generationId: membership.generationId - 1 }),
      'ILLEGAL_GENERATION',
    );
    assert.equal(await refused({ ...membership, memberId: 'nobody' }), 'UNKNOWN_MEMBER_ID');
    assert.deepEqual([...(await kafka.admin.committedOffsets(groupId, input))], []);
    await worker.stop();
    assert.deepEqual(await kafka.readAll(output, 1), [[]]);
  });
});
