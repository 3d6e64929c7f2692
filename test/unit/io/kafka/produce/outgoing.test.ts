import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { RetryableError } from '../../../../../src/core/model/errors.ts';
import type { OutgoingRecord } from '../../../../../src/core/model/records.ts';
import { Lease } from '../../../../../src/core/wire/memory.ts';
import { FatalKafkaError, RecordsRefusedError } from '../../../../../src/io/kafka/errors.ts';
import { PartitionQueue } from '../../../../../src/io/kafka/partition-queue.ts';
import { assertAcknowledged, topicMessages } from '../../../../../src/io/kafka/produce/outgoing.ts';
import { BatchLimit } from '../../../../../src/io/kafka/produce/send-rounds.ts';
import { concurrentPause } from '../../../../../src/io/kafka/produce/transactional-producer.ts';
import { StaleAnswerGuard } from '../../../../../src/io/kafka/topic/stale-answer-guard.ts';

function record(topic: string, partition: number, bytes = 3): OutgoingRecord {
  return { topic, partition, key: null, value: Buffer.alloc(bytes), headers: {}, timestamp: 5 };
}

const tooLarge = () => Object.assign(new Error('too large'), { type: 'MESSAGE_TOO_LARGE' });

describe('outgoing records', () => {
  test('are grouped by topic in their order, each with its partition and time', () => {
    const [a, b, c] = [record('x', 1), record('y', 0), record('x', 0)];
    const messages = topicMessages([a, b, c]);
    assert.deepEqual(
      messages.map(({ topic, messages: list }) => [
        topic,
        list.map(({ partition, timestamp }) => [partition, timestamp]),
      ]),
      [
        [
          'x',
          [
            [1, '5'],
            [0, '5'],
          ],
        ],
        ['y', [[0, '5']]],
      ],
    );
  });

  test('that the brokers have not acknowledged are an error that names the partition', () => {
    const records = [record('x', 1), record('y', 7), record('y', 7)];
    const now = performance.now();
    const atOnce = new StaleAnswerGuard(0);
    assertAcknowledged(
      records,
      [
        { topicName: 'x', partition: 1 },
        { topicName: 'y', partition: 7 },
      ],
      now,
      atOnce,
    );
    const missing = () => assertAcknowledged(records, [{ topicName: 'x', partition: 1 }], now, atOnce);
    assert.throws(
      missing,
      (error: Error) => error instanceof FatalKafkaError && /partition y\/7\. Run/.test(error.message),
    );
  });

  test('are tried again when the metadata may only be old', () => {
    const hourAgo = performance.now() - 3_600_000;
    const atOnce = new StaleAnswerGuard(0);
    assert.throws(() => assertAcknowledged([record('x', 1)], [], hourAgo, atOnce), RetryableError);
  });
});

describe('a partition that no metadata has', () => {
  test('is an error only when fresh metadata has lacked it for long, without an acknowledgement in between', () => {
    let now = 0;
    const unknown = new StaleAnswerGuard(30_000, () => now);
    const send = (atMs: number, ...acknowledged: { topicName: string; partition: number }[]) => {
      now = atMs;
      assertAcknowledged([record('x', 1)], acknowledged, performance.now(), unknown);
    };
    assert.throws(() => send(0), RetryableError);
    assert.throws(() => send(20_000), RetryableError);
    send(25_000, { topicName: 'x', partition: 1 });
    assert.throws(() => send(30_000), RetryableError);
    assert.throws(() => send(60_000), FatalKafkaError);
  });
});

describe('concurrentPause', () => {
  test('is short as long as the broker usually takes, and grows to a tenth of a second', () => {
    assert.deepEqual([0, 3, 30, 48].map(concurrentPause), [3, 3, 3, 3]);
    assert.deepEqual([160, 800, 1_600, 9_000].map(concurrentPause), [10, 50, 100, 100]);
    let attempts = 0;
    for (let waited = 0; waited <= 10_000; attempts += 1) waited += concurrentPause(waited);
    assert.ok(attempts < 200, `${attempts} attempts`);
  });
});

describe('BatchLimit', () => {
  const records = fc.array(
    fc.record({ topic: fc.constantFrom('x', 'y'), partition: fc.nat(2), bytes: fc.nat(400_000) }),
    { maxLength: 30 },
  );

  test('loses and repeats nothing, keeps the order of each partition, and bounds each batch', () => {
    fc.assert(
      fc.property(records, (made) => {
        const all = made.map(({ topic, partition, bytes }) => record(topic, partition, bytes));
        const rounds = new BatchLimit().rounds(all);
        const of = (list: OutgoingRecord[], id: string) =>
          list.filter(({ topic, partition }) => topic + partition === id);
        for (const id of new Set(all.map(({ topic, partition }) => topic + partition))) {
          const batches = rounds.map((round) => of(round, id)).filter((batch) => batch.length > 0);
          assert.deepEqual(batches.flat(), of(all, id));
          for (const batch of batches) {
            const bytes = batch.reduce((sum, { value }) => sum + value!.length, 0);
            assert.ok(batch.length === 1 || bytes <= 512 * 1024);
          }
        }
        assert.equal(rounds.flat().length, all.length);
      }),
      { numRuns: 50 },
    );
  });

  test('shrinks when a batch is refused, down to single records, and then names the one that is too large', () => {
    const limit = new BatchLimit();
    const all = [record('x', 0, 9000), record('x', 0, 9000), record('x', 1, 10)];
    let [round] = limit.rounds(all);
    assert.equal(round!.length, 3);
    limit.shrink(tooLarge(), round!);
    [round] = limit.rounds(all);
    assert.deepEqual(round, [all[0], all[2]]);
    assert.throws(
      () => limit.shrink(tooLarge(), round!),
      (error: Error) => {
        return (
          error instanceof FatalKafkaError &&
          error.message.includes('a record of 9070 bytes for topic x, partition 0')
        );
      },
    );
  });

  test('shrinks for the topic that the answer names, and names the record that is refused there', () => {
    const limit = new BatchLimit();
    const refusal = () => Object.assign(tooLarge(), { topic: 'y', partition: 0 });
    const all = [record('x', 0, 9000), record('x', 0, 9000), record('y', 0, 100), record('y', 0, 100)];
    limit.shrink(refusal(), all);
    const [round] = limit.rounds(all);
    assert.deepEqual(round, [all[0], all[1], all[2]]);
    assert.throws(
      () => limit.shrink(refusal(), round!),
      (error: Error) => {
        assert.ok(error instanceof RecordsRefusedError);
        assert.equal(error.topic, 'y');
        assert.match(error.message, /a record of 170 bytes for topic y, partition 0/);
        return true;
      },
    );
  });

  test('passes on every other error', () => {
    const other = new Error('connection closed');
    assert.throws(() => new BatchLimit().shrink(other, [record('x', 0)]), other);
  });
});

describe('PartitionQueue', () => {
  const queued = (offset: number, bytes: number) => ({
    topic: 't',
    partition: 0,
    offset: BigInt(offset),
    timestamp: 0,
    key: null,
    value: Buffer.alloc(bytes),
    headers: {},
  });

  test('hands out what was put in, in order, within the limits but at least one, and counts to zero', () => {
    const limits = fc.record({ maxRecords: fc.integer({ min: 1, max: 5 }), maxBytes: fc.nat(3000) });
    fc.assert(
      fc.property(fc.array(fc.nat(1000)), fc.array(limits, { minLength: 1 }), (sizes, steps) => {
        const queue = new PartitionQueue();
        sizes.forEach((bytes, offset) => void queue.push(queued(offset, bytes)));
        const seen: number[] = [];
        for (let step = 0; queue.length > 0; step++) {
          const { maxRecords, maxBytes } = steps[step % steps.length]!;
          assert.equal(queue.first?.offset, BigInt(seen.length));
          const before = queue.bytes;
          const taken = queue.take(maxRecords, maxBytes);
          assert.ok(taken.length >= 1 && taken.length <= maxRecords);
          assert.ok(taken.length === 1 || before - queue.bytes <= maxBytes);
          seen.push(...taken.map(({ offset }) => Number(offset)));
        }
        assert.deepEqual(seen, [...sizes.keys()]);
        assert.equal(queue.bytes, 0);
        assert.equal(queue.first?.offset, undefined);
      }),
    );
  });

  test('is empty after it was cleared', () => {
    const queue = new PartitionQueue();
    queue.push(queued(0, 10));
    queue.clear();
    assert.deepEqual([queue.length, queue.bytes, queue.take(1, 1)], [0, 0, []]);
  });

  test('counts apart what was lent for its records in vain', () => {
    const queue = new PartitionQueue();
    const record = (offset: bigint, memory?: Buffer) => ({
      topic: 't',
      partition: 0,
      offset,
      timestamp: 0,
      key: null,
      value: Buffer.alloc(800),
      headers: {},
      ...(memory !== undefined && { lease: new Lease(memory) }),
    });
    queue.push(record(0n));
    queue.push(record(1n, Buffer.from(new ArrayBuffer(64 << 10), 0, 1600)));
    const unused = (64 << 10) - 1600;
    const both = () => [queue.bytes, queue.memoryBytes];
    assert.deepEqual(both(), [2400, 2400 + unused]);
    const taken = queue.take(10, 2400);
    assert.equal(taken.length, 2);
    assert.deepEqual(both(), [0, 0]);
    queue.putBack(taken);
    assert.deepEqual(both(), [2400, 2400 + unused]);
    queue.take(1, 2400);
    assert.deepEqual(both(), [1200, 1200 + unused]);
  });
});

test('headers without a value, and of any name, count and are sent', () => {
  const headers = Object.fromEntries([
    ['none', null],
    ['__proto__', 'x'],
  ]);
  const one = { ...record('x', 1), headers };
  assert.deepEqual(new BatchLimit().rounds([one]), [[one]]);
  assert.deepEqual(Object.entries(topicMessages([one])[0]!.messages[0]!.headers!), Object.entries(headers));
});
