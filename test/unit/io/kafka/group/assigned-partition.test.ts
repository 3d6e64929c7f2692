import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { OffsetOutOfRangeError, PartitionLostError } from '../../../../../src/io/kafka/errors.ts';
import {
  AssignedPartition,
  type PartitionGroup,
  type TakeLimits,
} from '../../../../../src/io/kafka/group/assigned-partition.ts';
import type { FetchedBatch, KafkaMessage } from '../../../../../src/io/kafka/patch/types.ts';

const MEMBERSHIP = { generationId: 1, memberId: 'm' };
const AT_ONCE: TakeLimits = { maxRecords: 100, maxBytes: 1 << 20, lingerMs: 0 };

/** A partition, and what it asked of its group, in order. */
function partition(queueShare = 1 << 20, fetchShare = 1) {
  const calls: string[] = [];
  const group: PartitionGroup = {
    pause: () => calls.push('pause'),
    resume: () => calls.push('resume'),
    seek: (_, offset) => calls.push(`seek ${offset}`),
    queueShare: () => queueShare,
    fetchShare: () => fetchShare,
  };
  return { assigned: new AssignedPartition('t', 3, MEMBERSHIP, group), calls };
}

/** A fetch at `fetched` that brought records at these offsets; `last` is the last one that it covers. */
function batch(
  fetched: number,
  offsets: number[],
  last = offsets.at(-1) ?? fetched - 1,
  valueBytes = 10,
): FetchedBatch {
  const messages = offsets.map(
    (offset): KafkaMessage => ({
      offset: String(offset),
      key: null,
      value: Buffer.alloc(valueBytes, offset),
      timestamp: '7',
    }),
  );
  return {
    topic: 't',
    partition: 3,
    fetchedOffset: String(fetched),
    highWatermark: '1000',
    messages,
    rawMessages: last >= fetched && (offsets.length > 0 || last > fetched) ? [{}] : [],
    lastOffset: () => String(last),
  };
}

async function take(assigned: AssignedPartition, limits = AT_ONCE) {
  const taken = await assigned.take(limits);
  return (
    taken && { offsets: taken.records.map(({ offset }) => Number(offset)), next: Number(taken.nextOffset) }
  );
}

describe('an assigned partition', () => {
  test('takes nothing that is fetched before it begins', () => {
    const { assigned } = partition();
    assert.equal(assigned.state, 'opening');
    assert.equal(assigned.offer(batch(0, [0])), false);
    assert.equal(assigned.queuedBytes, 0);
  });

  test('begins by seeking and resuming, and hands records out in order', async () => {
    const { assigned, calls } = partition();
    assigned.begin(5n);
    assert.deepEqual(calls, ['seek 5', 'resume']);
    assert.equal(assigned.offer(batch(5, [5, 6])), true);
    assert.equal(assigned.offer(batch(7, [7])), true);
    assert.deepEqual(await take(assigned), { offsets: [5, 6, 7], next: 8 });
    assert.equal(assigned.queuedBytes, 0);
  });

  test('refuses a batch that does not continue its position, and seeks there', async () => {
    const { assigned, calls } = partition();
    assigned.begin(5n);
    assigned.offer(batch(5, [5, 6]));
    calls.length = 0;
    for (const stale of [batch(5, [5, 6]), batch(9, [9]), batch(0, [])])
      assert.equal(assigned.offer(stale), false);
    assert.deepEqual(calls, ['seek 7', 'seek 7', 'seek 7']);
    assert.deepEqual(await take(assigned), { offsets: [5, 6], next: 7 });
  });

  test('passes over control records: they are committed with the records before them', async () => {
    const { assigned } = partition();
    assigned.begin(0n);
    assigned.offer(batch(0, [0, 1], 4));
    assert.equal(assigned.position, 5n);
    assert.deepEqual(await take(assigned), { offsets: [0, 1], next: 5 });
    assert.equal(assigned.offer(batch(5, [], 8)), true);
    assert.equal(assigned.position, 9n);
  });

  test('commits no further than the records that were taken', async () => {
    const { assigned } = partition();
    assigned.begin(0n);
    assigned.offer(batch(0, [0, 3, 6], 9));
    assert.deepEqual(await take(assigned, { ...AT_ONCE, maxRecords: 2 }), { offsets: [0, 3], next: 6 });
    assert.deepEqual(await take(assigned), { offsets: [6], next: 10 });
  });

  test('what is put back comes again, before the others, and is committed no sooner', async () => {
    const { assigned } = partition();
    assigned.begin(0n);
    assigned.offer(batch(0, [0, 1, 2, 3, 4], 6));
    const taken = (await assigned.take({ ...AT_ONCE, maxRecords: 4 }))!;
    const queued = assigned.queuedBytes;
    assigned.putBack(taken.records.slice(1));
    assert.equal(assigned.queuedBytes, queued * 4);
    assert.deepEqual(await take(assigned, { ...AT_ONCE, maxRecords: 2 }), { offsets: [1, 2], next: 3 });
    assert.deepEqual(await take(assigned), { offsets: [3, 4], next: 7 });
  });

  test('nothing is put back once it drains or is opened anew', async () => {
    const { assigned } = partition();
    assigned.begin(0n);
    assigned.offer(batch(0, [0, 1]));
    const { records } = (await assigned.take(AT_ONCE))!;
    assigned.reopen();
    assigned.putBack(records);
    assert.equal(assigned.queuedBytes, 0);
    assigned.begin(0n);
    assigned.drain();
    assigned.putBack(records);
    assert.equal(assigned.queuedBytes, 0);
  });

  test('waits for the first record, and lingers for more until there are enough', async () => {
    const { assigned } = partition();
    assigned.begin(0n);
    const taken = take(assigned, { maxRecords: 3, maxBytes: 1 << 20, lingerMs: 3_600_000 });
    for (let offset = 0; offset < 3; offset++) {
      await new Promise((resolve) => setImmediate(resolve));
      assigned.offer(batch(offset, [offset]));
    }
    assert.deepEqual(await taken, { offsets: [0, 1, 2], next: 3 });
  });

  test('does not linger longer than it was told', async () => {
    const { assigned } = partition();
    assigned.begin(0n);
    assigned.offer(batch(0, [0]));
    assert.deepEqual(await take(assigned, { ...AT_ONCE, lingerMs: 5 }), { offsets: [0], next: 1 });
  });

  test('does not linger when its queue is full, since nothing more would come', async () => {
    const { assigned } = partition(500);
    assigned.begin(0n);
    assigned.offer(batch(0, [0], 0, 1000));
    assert.deepEqual(await take(assigned, { ...AT_ONCE, lingerMs: 3_600_000 }), { offsets: [0], next: 1 });
  });

  test('pauses at its share of the queue and resumes at half of it', async () => {
    const { assigned, calls } = partition(3000);
    assigned.begin(0n);
    assigned.offer(batch(0, [0, 1], 1, 1000));
    assert.equal(assigned.paused, false);
    assigned.offer(batch(2, [2], 2, 1000));
    assert.equal(assigned.paused, true);
    await take(assigned, { ...AT_ONCE, maxRecords: 1 });
    assert.equal(assigned.paused, true);
    await take(assigned, { ...AT_ONCE, maxRecords: 1 });
    assert.equal(assigned.paused, false);
    assert.deepEqual(calls, ['seek 0', 'resume', 'pause', 'resume']);
  });

  test('pauses as soon as one more fetch could overshoot its share', () => {
    const { assigned } = partition(5000, 2500);
    assigned.begin(0n);
    assigned.offer(batch(0, [0], 0, 2000));
    assert.equal(assigned.paused, false);
    assigned.offer(batch(1, [1], 1, 400));
    assert.equal(assigned.paused, true);
  });

  test('does not pause for control records alone, even where its share is smaller than a fetch', async () => {
    const { assigned } = partition(500, 1000);
    assigned.begin(0n);
    assigned.offer(batch(0, [], 2));
    assert.equal(assigned.paused, false);
    assigned.offer(batch(3, [3]));
    assert.equal(assigned.paused, true);
    assert.deepEqual(await take(assigned), { offsets: [3], next: 4 });
    assert.equal(assigned.paused, false);
  });

  test('keeps no fetch response alive: what it queues is a copy, down to key and headers', async () => {
    const { assigned } = partition();
    const response = Buffer.alloc(1 << 20, 'a');
    const message = {
      offset: '0',
      timestamp: '7',
      key: response.subarray(0, 2),
      value: response.subarray(2, 5),
      headers: { h: response.subarray(5, 6), none: null },
    };
    assigned.begin(0n);
    assigned.offer({ ...batch(0, [0]), messages: [message] });
    response.fill('b');
    const [record] = (await assigned.take(AT_ONCE))!.records;
    const { key, value, headers } = record!;
    assert.deepEqual([key, value, headers['h'], headers['none']].map(String), ['aa', 'aaa', 'a', 'null']);
    assert.ok(record!.value!.buffer.byteLength < 100);
  });

  test('counts key and headers as queued bytes', () => {
    const { assigned } = partition();
    assigned.begin(0n);
    const [message] = batch(0, [0]).messages;
    const full = { ...message!, key: Buffer.alloc(1000), headers: { h: Buffer.alloc(2000) } };
    assigned.offer({ ...batch(0, [0]), messages: [full] });
    assert.ok(assigned.queuedBytes >= 3010);
  });

  test('behind control records alone the next offset is handed out once no record has come for a second', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { assigned } = partition();
    assigned.begin(0n);
    assigned.offer(batch(0, [0]));
    assert.deepEqual(await take(assigned), { offsets: [0], next: 1 });
    const taken = take(assigned);
    assigned.offer(batch(1, [], 4));
    await nextTurn();
    t.mock.timers.tick(999);
    assigned.offer(batch(5, [], 6));
    await nextTurn();
    t.mock.timers.tick(1_000);
    assert.deepEqual(await taken, { offsets: [], next: 7 });
    const next = take(assigned);
    await nextTurn();
    t.mock.timers.tick(10_000);
    assigned.offer(batch(7, [7]));
    assert.deepEqual(await next, { offsets: [7], next: 8 }, 'the same offset is handed out once');
  });

  test('forgets what is queued when it is opened anew, and takes nothing until it begins', async () => {
    const { assigned, calls } = partition();
    assigned.begin(0n);
    assigned.offer(batch(0, [0, 1]));
    assigned.reopen();
    assert.equal(assigned.state, 'opening');
    assert.equal(assigned.offer(batch(2, [2])), false);
    assigned.begin(1n);
    assert.deepEqual(calls, ['seek 0', 'resume', 'pause', 'seek 1', 'resume']);
    assigned.offer(batch(1, [1]));
    assert.deepEqual(await take(assigned), { offsets: [1], next: 2 });
  });

  test('goes on through a rebalance at its own position, with the new membership', async () => {
    const { assigned, calls } = partition();
    assigned.begin(0n);
    assigned.offer(batch(0, [0, 1]));
    const next = { generationId: 2, memberId: 'm' };
    assigned.stayed(next);
    assert.deepEqual(calls, ['seek 0', 'resume', 'seek 2']);
    assert.equal(assigned.membership, next);
    assert.deepEqual(await take(assigned), { offsets: [0, 1], next: 2 });
  });

  test('when it drains, a waiting take answers that there is nothing more', async () => {
    const { assigned } = partition();
    assigned.begin(0n);
    const taken = assigned.take(AT_ONCE);
    assigned.drain();
    assert.equal(await taken, undefined);
    assert.equal(await assigned.take(AT_ONCE), undefined);
    assert.equal(assigned.active, false);
    assert.equal(assigned.ending.aborted, true);
    assert.equal(assigned.lost.aborted, false);
    assigned.assertOwned();
    assigned.begin(4n);
    assert.equal(assigned.state, 'draining');
  });

  test('when it is lost, a waiting take throws, and so does everything after', async () => {
    const { assigned } = partition();
    assigned.begin(0n);
    const taken = assigned.take(AT_ONCE);
    assigned.lose();
    await assert.rejects(taken, PartitionLostError);
    await assert.rejects(assigned.take(AT_ONCE), PartitionLostError);
    assert.throws(() => assigned.assertOwned(), PartitionLostError);
    assert.throws(() => assigned.begin(0n), PartitionLostError);
    assert.equal(assigned.lost.aborted && assigned.ending.aborted, true);
    assigned.drain();
    assert.equal(assigned.state, 'lost');
  });

  test('out of range: what was fetched is still taken, then the owner hears of it', async () => {
    const { assigned } = partition();
    assigned.begin(0n);
    assigned.offer(batch(0, [0]));
    assigned.outOfRange();
    assert.equal(assigned.offer(batch(1, [1])), false);
    assert.deepEqual(await take(assigned), { offsets: [0], next: 1 });
    assert.equal(assigned.paused, true);
    await assert.rejects(assigned.take(AT_ONCE), OffsetOutOfRangeError);
    assigned.reopen();
    assigned.begin(9n);
    assigned.offer(batch(9, [9]));
    assert.deepEqual(await take(assigned), { offsets: [9], next: 10 });
  });

  test('out of range wakes a take that waits', async () => {
    const { assigned } = partition();
    assigned.begin(0n);
    const taken = assigned.take(AT_ONCE);
    assigned.outOfRange();
    await assert.rejects(taken, OffsetOutOfRangeError);
  });

  test('a late word that the position is out of range does not disturb what begins after it', async () => {
    const { assigned } = partition();
    assigned.begin(0n);
    assigned.reopen();
    assigned.outOfRange();
    assigned.begin(3n);
    assigned.offer(batch(3, [3]));
    assert.deepEqual(await take(assigned), { offsets: [3], next: 4 });
  });

  test('what cannot be read is fetched again later, unless something else has paused it by then', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { assigned, calls } = partition();
    assigned.begin(0n);
    calls.length = 0;
    assigned.fetchLater(10_000);
    t.mock.timers.tick(9_999);
    assert.deepEqual(calls, ['pause']);
    t.mock.timers.tick(1);
    assert.deepEqual(calls, ['pause', 'resume']);
    for (const disturb of [() => assigned.outOfRange(), () => assigned.drain(), () => assigned.lose()]) {
      assigned.fetchLater(10_000);
      disturb();
      t.mock.timers.tick(10_000);
    }
    assert.equal(calls.filter((call) => call === 'resume').length, 1);
  });

  test('of a topic that is gone nothing queued is worked on', async () => {
    const { assigned } = partition();
    assigned.begin(0n);
    assigned.offer(batch(0, [0]));
    assigned.topicMissing();
    await assert.rejects(assigned.take(AT_ONCE), OffsetOutOfRangeError);
  });
});
