import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  RangeReader,
  type RangeStep,
  type RangeTakeLimits,
} from '../../../src/io/kafka/range/range-reader.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { TestKafka } from '../../support/kafka-data.ts';

const LIMITS: RangeTakeLimits = { maxRecords: 100, maxBytes: 1024 * 1024, lingerMs: 0 };
const VALUE_BYTES = 10_000;

const cluster = await startKafka();
const kafka = new TestKafka(cluster.brokers);
closeAfterTests(kafka, cluster);

describe('a range reader', () => {
  /** Values of 10 kB that begin with their number. */
  async function fill(partitions: number, records: number): Promise<string> {
    const topic = await kafka.createTopic('range', partitions);
    const values = Array.from({ length: records }, (_, number) => String(number).padEnd(VALUE_BYTES));
    for (let partition = 0; partition < partitions; partition++)
      await kafka.produce(topic, partition, values);
    return topic;
  }

  function ranges(partitions: number, from: number, to: number) {
    const range = { from: BigInt(from), to: BigInt(to) };
    return new Map(Array.from({ length: partitions }, (_, partition) => [partition, range]));
  }

  /** Numbers of the records in the order in which they were taken, by partition. */
  class Taken {
    readonly numbers = new Map<number, number[]>();
    readonly positions = new Map<number, number>();

    add({ chunks, positions }: RangeStep): void {
      for (const { partition, records } of chunks) {
        const numbers = this.numbers.get(partition) ?? [];
        numbers.push(...records.map(({ value }) => Number(String(value).trim())));
        this.numbers.set(partition, numbers);
      }
      for (const [partition, position] of positions) this.positions.set(partition, Number(position));
    }
  }

  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);

  test('reads nothing of another topic that has the name by now', async () => {
    const topic = await fill(1, 10);
    const topicId = await kafka.admin.topicId(topic);
    assert.match(String(topicId), /^[\w-]{22}$/);
    const of = (id: string | undefined) =>
      new RangeReader(kafka.connection, kafka.admin, { topic, topicId: id, ranges: ranges(1, 0, 10) });
    const same = of(topicId);
    const taken = new Taken();
    for (let step = await same.take(LIMITS); step !== undefined; step = await same.take(LIMITS))
      taken.add(step);
    assert.deepEqual(taken.numbers.get(0), numbers(0, 10));
    const other = of('a'.repeat(22));
    await assert.rejects(other.take(LIMITS), /was deleted and made again since the range was fixed/);
    await Promise.all([same.close(), other.close()]);
  });

  test('runs ahead of whoever takes the records by so many bytes, and no partition is left behind', async () => {
    const topic = await fill(2, 1_000);
    const queueBytes = 2 * 1024 * 1024;
    const options = { topic, ranges: ranges(2, 10, 990), queueBytes };
    const reader = new RangeReader(kafka.connection, kafka.admin, options);
    const taken = new Taken();
    taken.add((await reader.take({ ...LIMITS, maxRecords: 2 }))!);
    let queued = 0;
    await poll(
      () => {
        const before = queued;
        queued = reader.queuedBytes;
        return queued >= queueBytes / 2 && queued === before;
      },
      { timeoutMs: 60_000 },
      () => new Error(`${reader.queuedBytes} bytes are queued`),
    );
    // A partition's fetch may overshoot its share once.
    assert.ok(queued < queueBytes + 2 * 5 * 1024 * 1024, `${queued} bytes are queued`);
    assert.ok(queued < 2 * 980 * VALUE_BYTES, 'it has stopped before the end');
    let furthest = 0;
    for (;;) {
      const step = await reader.take({ ...LIMITS, maxRecords: 20 });
      if (step === undefined) break;
      taken.add(step);
      const [a = 0, b = 0] = [0, 1].map((partition) => taken.numbers.get(partition)?.length);
      furthest = Math.max(furthest, Math.abs(a - b));
    }
    await reader.close();
    assert.deepEqual([...taken.numbers.keys()].sort(), [0, 1]);
    for (const [, found] of taken.numbers) assert.deepEqual(found, numbers(10, 990));
    assert.deepEqual([...taken.positions].sort(), [
      [0, 990],
      [1, 990],
    ]);
    assert.ok(furthest < 900, `one partition was ${furthest} records ahead of the other`);
  });

  test('tells what retention takes before it is read, behind all that it had read', async () => {
    const topic = await fill(1, 3_000);
    const reader = new RangeReader(kafka.connection, kafka.admin, {
      topic,
      ranges: ranges(1, 0, 3_000),
      queueBytes: 1024 * 1024,
    });
    const taken = new Taken();
    taken.add((await reader.take({ ...LIMITS, maxRecords: 1 }))!);
    await poll(
      () => reader.queuedBytes >= 1024 * 1024,
      { timeoutMs: 60_000 },
      () => new Error('the queue did not fill up'),
    );
    await kafka.admin.offsetBounds(topic);
    const client = await kafka.admin.client();
    await client.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2900' }] });
    const gaps: RangeStep['gaps'][number][] = [];
    for (;;) {
      const step = await reader.take(LIMITS);
      if (step === undefined) break;
      for (const gap of step.gaps) {
        assert.equal(Number(gap.from), taken.positions.get(0), 'everything before it was taken first');
        gaps.push(gap);
      }
      taken.add(step);
    }
    await reader.close();
    assert.equal(gaps.length, 1);
    const [gap] = gaps;
    assert.equal(gap!.to, 2_900n);
    assert.deepEqual(taken.numbers.get(0), [...numbers(0, Number(gap!.from)), ...numbers(2_900, 3_000)]);
  });

  test('ends at its ranges although the topic goes on, and deletes its group', async () => {
    const topic = await fill(1, 20);
    const reader = new RangeReader(kafka.connection, kafka.admin, { topic, ranges: ranges(1, 5, 20) });
    const taken = new Taken();
    const before = await kafka.admin.groupsWith('penstock.read.');
    for (;;) {
      const step = await reader.take({ ...LIMITS, maxRecords: 3 });
      if (step === undefined) break;
      taken.add(step);
      await kafka.produce(topic, 0, ['20']);
    }
    await reader.close();
    assert.deepEqual(taken.numbers.get(0), numbers(5, 20));
    // Other tests read at the same time: of the groups that are new now each must go, ours among them.
    const made = (await kafka.admin.groupsWith('penstock.read.')).filter((group) => !before.includes(group));
    await poll(
      async () => {
        const left = await kafka.admin.groupsWith('penstock.read.');
        return !made.some((group) => left.includes(group));
      },
      { timeoutMs: 60_000 },
      () => new Error(`one of the groups ${made.join(', ')} is still there`),
    );
  });

  test('stops waiting when it is told to', async () => {
    const topic = await fill(1, 5);
    const reader = new RangeReader(kafka.connection, kafka.admin, { topic, ranges: ranges(1, 0, 100) });
    const stop = new AbortController();
    assert.equal((await reader.take({ ...LIMITS, lingerMs: 500 }))!.chunks[0]!.records.length, 5);
    const waiting = reader.take(LIMITS, stop.signal);
    stop.abort();
    assert.equal(await waiting, undefined);
    await reader.close();
  });
});
