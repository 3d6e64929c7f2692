import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RetryableError } from '../../../src/core/model/errors.ts';
import { FatalKafkaError, kafkaErrorType } from '../../../src/io/kafka/errors.ts';
import { AssignedPartition } from '../../../src/io/kafka/group/assigned-partition.ts';
import type { OffsetGap } from '../../../src/io/kafka/group/partition-session.ts';
import { PlainProducer } from '../../../src/io/kafka/produce/plain-producer.ts';
import { BatchLimit } from '../../../src/io/kafka/produce/send-rounds.ts';
import { NO_MEMBER, TransactionalProducer } from '../../../src/io/kafka/produce/transactional-producer.ts';
import { StaleAnswerGuard } from '../../../src/io/kafka/topic/stale-answer-guard.ts';
import { withMark } from '../../../src/io/kafka/topic/topic-mark.ts';
import { uniqueName } from '../../lab/names.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { CopyingWorker, type CopyOptions, stopCopyingWorkers } from '../../support/copying-worker.ts';
import { TestKafka } from '../../support/kafka-data.ts';

/** Changes the first byte of `text` where it stands in a file, and back. */
function flipBit(file: string, text: string): void {
  const at = readFileSync(file).indexOf(text.slice(1)) - 1;
  const handle = openSync(file, 'r+');
  const byte = Buffer.alloc(1);
  readSync(handle, byte, 0, 1, at);
  byte[0]! ^= 1;
  writeSync(handle, byte, 0, 1, at);
  closeSync(handle);
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => String(from + index));

/** Long enough for a few sessions, each of which meets the same. */
const LASTING_MS = 1_500;

const cluster = await startKafka({ own: true, name: 'topic-faults' });
const kafka = new TestKafka(cluster.brokers);
closeAfterTests({ close: stopCopyingWorkers }, kafka, cluster);

describe('faults of topics', { concurrency: true }, () => {
  async function setup(outputConfig: Record<string, string> = {}) {
    const input = await kafka.createTopic('in', 1);
    const output = await kafka.createTopic('out', 1, { config: outputConfig });
    return { brokers: cluster.brokers, groupId: uniqueName('faults'), input, output };
  }
  type Topics = Awaited<ReturnType<typeof setup>>;

  const committed = async ({ groupId, input }: Topics, client = kafka) =>
    (await client.admin.committedOffsets(groupId, input)).get(0) ?? -1n;

  const caughtUp = (topics: Topics, offset: bigint, client = kafka) =>
    poll(
      async () => (await committed(topics, client)) === offset,
      {},
      () => new Error(`the group did not reach ${offset}`),
    );

  async function commitAt({ groupId, input }: Topics, offset: number): Promise<void> {
    const admin = await kafka.admin.client();
    await admin.setOffsets({ groupId, topic: input, partitions: [{ partition: 0, offset: String(offset) }] });
  }

  async function deleteBefore({ input }: Topics, offset: number): Promise<void> {
    // A client of its own: another test's topic that is gone would be an error here.
    await using own = new TestKafka(cluster.brokers);
    await own.admin.offsetBounds(input); // loads the metadata that the next call needs
    const admin = await own.admin.client();
    await admin.deleteTopicRecords({ topic: input, partitions: [{ partition: 0, offset: String(offset) }] });
  }

  /** The error that ends a worker. */
  async function failure(topics: Topics, options: CopyOptions): Promise<unknown> {
    const worker = await new CopyingWorker(topics, options).start();
    const error = await worker.reader.failure.catch((reason: unknown) => reason);
    await worker.stop();
    return error;
  }

  test('a partition that does not exist stops the worker, and nothing is committed', async () => {
    const topics = await setup();
    await kafka.produce(topics.input, 0, ['1']);
    const error = await failure(topics, {
      lastingMs: LASTING_MS,
      transform: ({ records }) =>
        records.map((record) => ({ ...record, topic: topics.output, partition: 7, headers: {} })),
    });
    assert.ok(error instanceof FatalKafkaError, String(error));
    assert.equal(
      error.message,
      `The brokers have no partition ${topics.output}/7. Run "penstock topics apply" with the same configuration.`,
    );
    assert.equal(await committed(topics), -1n);
  });

  test('a plain producer refuses a partition that does not exist', async () => {
    const topic = await kafka.createTopic('plain', 1);
    let now = 0;
    const producer = new PlainProducer(kafka.connection, new StaleAnswerGuard(30_000, () => now));
    const record = { topic, partition: 3, key: null, value: Buffer.from('x'), headers: {}, timestamp: 0 };
    for (now of [0, 29_999]) await assert.rejects(producer.send([record]), RetryableError);
    now = 30_000;
    await assert.rejects(producer.send([record]), FatalKafkaError);
    await producer.close();
  });

  test('a record too large for its topic stops the worker, and nothing is committed', async () => {
    const topics = await setup({ 'max.message.bytes': '20000' });
    await kafka.produce(topics.input, 0, ['1', Buffer.alloc(30_000), '2']);
    const error = await failure(topics, {});
    assert.ok(error instanceof FatalKafkaError, String(error));
    assert.match(
      error.message,
      new RegExp(`a record of 30070 bytes for topic ${topics.output}, partition 0`),
    );
    assert.equal(await committed(topics), -1n);
    assert.deepEqual(await kafka.readAll(topics.output, 1), [[]]);
  });

  test('records that are too large only together are sent in smaller batches', async () => {
    const topics = await setup({ 'max.message.bytes': '5000' });
    const values = Array.from({ length: 300 }, (_, index) => `${index} ${'x'.repeat(1000)}`);
    await kafka.produce(topics.input, 0, values);
    const worker = await new CopyingWorker(topics).start();
    await caughtUp(topics, 300n);
    await worker.stop();
    assert.deepEqual(await kafka.readAll(topics.output, 1), [values]);
  });

  test('a plain producer sends records that are too large only together in smaller batches', async () => {
    const topic = await kafka.createTopic('small', 1, { config: { 'max.message.bytes': '5000' } });
    const values = Array.from({ length: 300 }, (_, index) => `${index} ${'x'.repeat(1000)}`);
    await kafka.produce(topic, 0, values);
    await assert.rejects(kafka.produce(topic, 0, [Buffer.alloc(6000)]), FatalKafkaError);
    assert.deepEqual(await kafka.readAll(topic, 1), [values]);
  });

  test('records that retention took before they were read are reported as a gap', async () => {
    const topics = await setup();
    await kafka.produce(topics.input, 0, numbers(0, 100));
    await commitAt(topics, 10);
    await deleteBefore(topics, 40);
    const gaps: OffsetGap[] = [];
    const worker = await new CopyingWorker(topics, {
      onGap: (gap) => {
        gaps.push(gap);
        return 'continue';
      },
    }).start();
    await caughtUp(topics, 100n);
    await worker.stop();
    assert.deepEqual(gaps, [{ topic: topics.input, partition: 0, from: 10n, to: 40n, reason: 'retention' }]);
    assert.deepEqual(await kafka.readAll(topics.output, 1), [numbers(40, 100)]);
  });

  test('a gap stops the worker when the configuration says so', async () => {
    const topics = await setup();
    await kafka.produce(topics.input, 0, numbers(0, 100));
    await commitAt(topics, 10);
    await deleteBefore(topics, 40);
    const error = await failure(topics, { onGap: () => 'stop' });
    assert.ok(error instanceof FatalKafkaError, String(error));
    assert.match(error.message, /\/0: the records 10 to 39 were gone before they were read/);
    assert.equal(await committed(topics), 10n);
  });

  test('a gap that opens under a running worker costs only what was not fetched', async (t) => {
    const topics = await setup();
    const kilobyte = 'x'.repeat(1000);
    const values = Array.from({ length: 600 }, (_, index) => `${index} ${kilobyte}`);
    for (let first = 0; first < 600; first += 50) {
      await kafka.produce(topics.input, 0, values.slice(first, first + 50));
    }
    const gaps: OffsetGap[] = [];
    const hold = Promise.withResolvers<void>();
    t.after(() => hold.resolve());
    const worker = await new CopyingWorker(topics, {
      reader: { queueBytes: 50_000, fetchMaxBytes: 100_000 },
      onGap: (gap) => {
        gaps.push(gap);
        return 'continue';
      },
      transform: async ({ records }) => {
        await hold.promise;
        return records.map((record) => ({ ...record, topic: topics.output, headers: {} }));
      },
    }).start();
    await poll(
      () => {
        const [partition] = worker.reader.partitions;
        return partition?.paused === true && partition.queuedBytes > 0;
      },
      {},
      () => new Error('the queue did not fill'),
    );
    const fetched = Number(worker.reader.partitions[0]!.position);
    assert.ok(fetched < 500, `the reader was to stop before 500, not at ${fetched}`);
    await deleteBefore(topics, 500);
    hold.resolve();
    await caughtUp(topics, 600n);
    await worker.stop();
    const gap = { topic: topics.input, partition: 0, from: BigInt(fetched), to: 500n, reason: 'retention' };
    assert.deepEqual(gaps, [gap]);
    assert.deepEqual(worker.failures, []);
    const expected = [...values.slice(0, fetched), ...values.slice(500)];
    assert.deepEqual(await kafka.readAll(topics.output, 1), [expected]);
  });

  test('a topic that is deleted and made anew is read from its beginning', async () => {
    // Clients of its own: a topic that is gone is an error to everything else that a client does.
    await using own = new TestKafka(cluster.brokers);
    const topics = await setup();
    await own.produce(topics.input, 0, numbers(0, 100));
    const worker = await new CopyingWorker(topics, { lastingMs: LASTING_MS }).start();
    await caughtUp(topics, 100n, own);
    await deleteTopic(topics.input, own);
    await sleep(1000); // the worker meets a topic that is not there
    await kafka.createTopic('', 1, { name: topics.input });
    await using fresh = new TestKafka(cluster.brokers);
    await fresh.produce(topics.input, 0, numbers(1000, 1300));
    await caughtUp(topics, 300n, fresh);
    await worker.stop();
    assert.deepEqual(await kafka.readAll(topics.output, 1), [[...numbers(0, 100), ...numbers(1000, 1300)]]);
  });

  /** Resolves when the name is free again. */
  async function deleteTopic(topic: string, { admin }: TestKafka): Promise<void> {
    const client = await admin.client();
    await client.deleteTopics({ topics: [topic] });
    await poll(
      async () => !(await client.listTopics()).includes(topic),
      {},
      () => new Error(`${topic} was not deleted`),
    );
  }

  /** Deletes the input topic and makes it again, with records. */
  async function makeAgain({ input }: Topics, values: string[]): Promise<void> {
    await using own = new TestKafka(cluster.brokers);
    await deleteTopic(input, own);
    await kafka.createTopic('', 1, { name: input });
    await using fresh = new TestKafka(cluster.brokers);
    await fresh.produce(input, 0, values);
  }

  test('a topic that is made again under a worker, with more records than it has read, is read whole, and that is told', async () => {
    const topics = await setup();
    await using own = new TestKafka(cluster.brokers);
    await own.produce(topics.input, 0, numbers(0, 100));
    const gaps: OffsetGap[] = [];
    const onGap = (gap: OffsetGap) => {
      gaps.push(gap);
      return 'continue' as const;
    };
    const worker = await new CopyingWorker(topics, { lastingMs: LASTING_MS, onGap }).start();
    await caughtUp(topics, 100n, own);
    await makeAgain(topics, numbers(1000, 1300));
    await using fresh = new TestKafka(cluster.brokers);
    await caughtUp(topics, 300n, fresh);
    await worker.stop();
    assert.deepEqual(await kafka.readAll(topics.output, 1), [[...numbers(0, 100), ...numbers(1000, 1300)]]);
    assert.deepEqual(
      gaps.map(({ to, reason }) => [to, reason]),
      [[100n, 'made_anew']],
    );
  });

  test('a commit for a topic that had the name before is known by its id, wherever it stands', async () => {
    const topics = await setup();
    await using own = new TestKafka(cluster.brokers);
    await own.produce(topics.input, 0, numbers(0, 100));
    const first = await new CopyingWorker(topics).start();
    await caughtUp(topics, 100n, own);
    await first.stop();
    const committed = (await own.admin.committedEntries(topics.groupId)).get(topics.input)!.get(0)!;
    await makeAgain(topics, numbers(1000, 1300));
    // As of a worker that commits what it has of the topic before while the next one is made.
    await using fresh = new TestKafka(cluster.brokers);
    const late = await TransactionalProducer.open(fresh.connection, {
      transactionalId: uniqueName('late'),
      timeoutMs: 20_000,
      limit: new BatchLimit(),
    });
    const partitions = [{ partition: 0, offset: 100n, metadata: withMark('', committed.mark) }];
    const { groupId, input: topic } = topics;
    await late.send({ groupId, membership: NO_MEMBER, topic, partitions }, []);
    await late.close();
    const gaps: OffsetGap[] = [];
    const error = await failure(topics, { lastingMs: LASTING_MS, onGap: () => 'stop' });
    assert.match(String(error), /deleted and made again after 100 was committed.*on_offset_gap is stop/);
    const worker = new CopyingWorker(topics, {
      lastingMs: LASTING_MS,
      onGap: (gap) => {
        gaps.push(gap);
        return 'continue';
      },
    });
    await worker.start();
    await caughtUp(topics, 300n, fresh);
    await worker.stop();
    assert.deepEqual(gaps, [
      { topic: topics.input, partition: 0, from: 100n, to: 100n, reason: 'made_anew' },
    ]);
    assert.deepEqual(await kafka.readAll(topics.output, 1), [[...numbers(0, 100), ...numbers(1000, 1300)]]);
  });

  /** A worker on 100 records whose group has committed more than there is. */
  async function committedBeyond(offset: number, options: CopyOptions = {}) {
    const topics = await setup();
    await kafka.produce(topics.input, 0, numbers(0, 100));
    await commitAt(topics, offset);
    const gaps: OffsetGap[] = [];
    const worker = new CopyingWorker(topics, {
      lastingMs: LASTING_MS,
      onGap: (gap) => {
        gaps.push(gap);
        return 'continue';
      },
      ...options,
    });
    const isDoubting = () =>
      poll(
        () => worker.failures.length > 0,
        {},
        () => new Error('the end was believed at once'),
      );
    return { topics, gaps, worker, isDoubting };
  }

  test('an end before the committed offset that does not last repeats nothing', async () => {
    const { topics, gaps, worker, isDoubting } = await committedBeyond(150, { lastingMs: 60_000 });
    await worker.start();
    await isDoubting();
    await kafka.produce(topics.input, 0, numbers(100, 200));
    await caughtUp(topics, 200n);
    await worker.stop();
    assert.deepEqual(gaps, []);
    assert.deepEqual(await kafka.readAll(topics.output, 1), [numbers(150, 200)]);
  });

  test('a committed offset beyond the end, where all records are there, means a topic created again', async () => {
    const { topics, gaps, worker, isDoubting } = await committedBeyond(150);
    await worker.start();
    await isDoubting();
    await caughtUp(topics, 100n);
    await worker.stop();
    assert.deepEqual(gaps, [
      { topic: topics.input, partition: 0, from: 100n, to: 150n, reason: 'made_anew' },
    ]);
    assert.deepEqual(await kafka.readAll(topics.output, 1), [numbers(0, 100)]);
  });

  test('a committed offset beyond the end, where records were deleted, means a loss: reading goes on at the end', async () => {
    const { topics, gaps, worker, isDoubting } = await committedBeyond(150);
    await deleteBefore(topics, 40);
    await worker.start();
    await isDoubting();
    await poll(
      () => gaps.length > 0,
      {},
      () => new Error('no gap was reported'),
    );
    await kafka.produce(topics.input, 0, numbers(100, 120));
    await caughtUp(topics, 120n);
    await worker.stop();
    assert.deepEqual(gaps, [
      { topic: topics.input, partition: 0, from: 100n, to: 150n, reason: 'truncated' },
    ]);
    assert.deepEqual(await kafka.readAll(topics.output, 1), [numbers(100, 120)]);
  });

  test('a partition that is newer than the metadata of the reader is found', async () => {
    const topics = await setup();
    const worker = await new CopyingWorker(topics, { lastingMs: LASTING_MS }).start();
    await poll(
      () => worker.reader.partitions[0]?.state === 'consuming',
      {},
      () => new Error('the partition was not assigned'),
    );
    const { membership } = worker.reader.partitions[0]!;
    const group = { pause() {}, resume() {}, seek() {}, queueShare: () => 1, fetchShare: () => 1 };
    const at = (partition: number) =>
      worker.reader.startOffset(new AssignedPartition(topics.input, partition, membership, group));
    await assert.rejects(at(1), RetryableError);
    const admin = await kafka.admin.client();
    await admin.createPartitions({ topicPartitions: [{ topic: topics.input, count: 2 }] });
    await kafka.produce(topics.input, 1, ['x']);
    assert.equal((await at(1)).offset, 0n);
    const { failures } = worker;
    await worker.stop();
    assert.deepEqual(failures, []);
  });

  test('a batch that is corrupt on disk holds its partition, others go on, and nothing is passed over', async (t) => {
    const { logDir } = cluster.node(0);
    if (logDir === undefined) return t.skip('the log is in a container');
    const topics = { ...(await setup()), input: await kafka.createTopic('in', 2) };
    for (const value of ['before', 'damaged', 'behind']) await kafka.produce(topics.input, 0, [value]);
    const flip = () => flipBit(`${logDir}/${topics.input}-0/00000000000000000000.log`, 'damaged');
    flip();
    const worker = await new CopyingWorker(topics, {
      transform: ({ records }) =>
        records.map((record) => ({ ...record, topic: topics.output, partition: 0, headers: {} })),
    }).start();
    await caughtUp(topics, 1n);
    await kafka.produce(topics.input, 1, ['elsewhere']);
    const other = async () => (await kafka.admin.committedOffsets(topics.groupId, topics.input)).get(1);
    await poll(
      async () => (await other()) === 1n,
      {},
      () => new Error('the other partition does not go on'),
    );
    assert.equal(await committed(topics), 1n);
    flip();
    await caughtUp(topics, 3n);
    await worker.stop();
    assert.deepEqual(worker.failures, []);
    const [values] = await kafka.readAll(topics.output, 1);
    assert.deepEqual(
      values!.filter((value) => value !== 'elsewhere'),
      ['before', 'damaged', 'behind'],
    );
  });

  test('a topic that is deleted spoils no question about another', async () => {
    await using own = new TestKafka(cluster.brokers);
    const [gone, kept] = [await kafka.createTopic('gone', 1), await kafka.createTopic('kept', 2)];
    await own.admin.offsetBounds(gone);
    await own.admin.offsetBounds(kept);
    await (await own.admin.client()).deleteTopics({ topics: [gone] });
    const answer = () => own.admin.offsetBounds(gone).then(() => '', kafkaErrorType);
    await poll(
      async () => (await answer()) === 'UNKNOWN_TOPIC_OR_PARTITION',
      {},
      () => new Error('the topic is still there'),
    );
    assert.equal((await own.admin.offsetBounds(kept)).size, 2);
    assert.equal((await own.admin.committedOffsets('nobody', kept)).size, 0);
  });
});
