import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FetchedBatch } from '../../../../../src/io/kafka/patch/types.ts';
import { RangeQueue } from '../../../../../src/io/kafka/range/range-queue.ts';

/** What a fetch at `from` brings: records at `offsets`, and markers of transactions up to `last`. */
function batch(from: number, offsets: readonly number[], last = offsets.at(-1) ?? from - 1): FetchedBatch {
  return {
    topic: 'raw',
    partition: 3,
    fetchedOffset: String(from),
    highWatermark: '1000',
    messages: offsets.map((offset) => ({
      key: null,
      value: Buffer.from(String(offset)),
      timestamp: '1',
      offset: String(offset),
    })),
    rawMessages: Array.from({ length: last - from + 1 }),
    lastOffset: () => String(last),
  };
}

function taken(queue: RangeQueue, maxRecords = 100) {
  const { records, next, gap } = queue.take(maxRecords, 1_000_000);
  return { offsets: records.map(({ offset }) => Number(offset)), next: Number(next), gap };
}

test('a range has what lies in it, and ends', () => {
  const queue = new RangeQueue(3, { from: 5n, to: 9n });
  assert.ok(queue.offer(batch(5, [5, 6])));
  assert.deepEqual([queue.ready, queue.fetched, queue.finished], [true, false, false]);
  assert.deepEqual(taken(queue, 1), { offsets: [5], next: 6, gap: undefined });
  assert.ok(queue.offer(batch(7, [7, 8, 9, 10])));
  assert.deepEqual([queue.fetched, queue.finished], [true, false]);
  assert.deepEqual(taken(queue), { offsets: [6, 7, 8], next: 9, gap: undefined });
  assert.deepEqual([queue.ready, queue.finished], [false, true]);
});

test('what does not continue the position is not taken', () => {
  const queue = new RangeQueue(3, { from: 5n, to: 20n });
  assert.equal(queue.offer(batch(6, [6])), false);
  assert.ok(queue.offer(batch(5, [5, 6])));
  assert.equal(queue.offer(batch(5, [5, 6])), false, 'the same once more');
  assert.deepEqual(taken(queue), { offsets: [5, 6], next: 7, gap: undefined });
});

test('offsets without records are passed over, and that is told', () => {
  const queue = new RangeQueue(3, { from: 5n, to: 9n });
  assert.ok(queue.offer(batch(5, [5], 6)));
  assert.deepEqual(taken(queue), { offsets: [5], next: 7, gap: undefined });
  assert.ok(queue.offer(batch(7, [], 8)));
  assert.equal(queue.ready, true);
  assert.deepEqual(taken(queue), { offsets: [], next: 9, gap: undefined });
  assert.equal(queue.finished, true);
});

test('a gap is handed out after what was before it, and ends with the range', () => {
  const queue = new RangeQueue(3, { from: 5n, to: 20n });
  queue.offer(batch(5, [5, 6]));
  queue.skipTo(10n);
  assert.equal(queue.held, true);
  assert.equal(queue.offer(batch(10, [10])), false, 'nothing is taken over before the gap is known');
  assert.deepEqual(taken(queue, 1), { offsets: [5], next: 6, gap: undefined });
  assert.deepEqual(taken(queue), { offsets: [6], next: 7, gap: undefined });
  assert.deepEqual(taken(queue), { offsets: [], next: 10, gap: { partition: 3, from: 7n, to: 10n } });
  assert.equal(queue.held, false);
  assert.ok(queue.offer(batch(10, [10])));
  queue.skipTo(99n);
  assert.deepEqual(taken(queue).offsets, [10]);
  assert.deepEqual(taken(queue), { offsets: [], next: 20, gap: { partition: 3, from: 11n, to: 20n } });
  assert.equal(queue.finished, true);
});
