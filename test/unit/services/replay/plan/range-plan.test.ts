import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { planOffsets, planRest, planTimes } from '../../../../../src/services/replay/plan/range-plan.ts';

const bounds = (low: number, high: number) => new Map([[0, { low: BigInt(low), high: BigInt(high) }]]);
const at = (offset: number) => new Map([[0, BigInt(offset)]]);

describe('a range of times', () => {
  const plan = (low: number, high: number, begin: number, from: number, end: number) => {
    const { ranges, cuts, marginCuts } = planTimes(
      { begin: at(begin), from: at(from), end: at(end) },
      bounds(low, high),
    );
    const range = ranges.get(0);
    return {
      range: range && [Number(range.from), Number(range.to)],
      cuts: cuts.length,
      marginCuts: marginCuts.length,
    };
  };
  const whole = { cuts: 0, marginCuts: 0 };

  test('is what lies between the offsets that were found', () => {
    assert.deepEqual(plan(0, 100, 10, 12, 50), { range: [10, 50], ...whole });
  });

  test('ends where the partition ended at the start, although more has been written since', () => {
    assert.deepEqual(plan(0, 100, 10, 12, 130), { range: [10, 100], ...whole });
    assert.deepEqual(plan(0, 100, 120, 125, 130), { range: undefined, ...whole }, 'all of it is newer');
  });

  test('is whole where nothing was ever taken, or an older record is still there', () => {
    assert.deepEqual(plan(0, 100, 0, 0, 50), { range: [0, 50], ...whole });
    assert.deepEqual(plan(7, 100, 8, 9, 50), { range: [8, 50], ...whole });
  });

  test('is cut where the oldest record that is left belongs to it', () => {
    assert.deepEqual(plan(7, 100, 7, 7, 50), { range: [7, 50], cuts: 1, marginCuts: 0 });
    assert.deepEqual(plan(7, 7, 7, 7, 7), { range: undefined, cuts: 1, marginCuts: 0 }, 'nothing is left');
    assert.deepEqual(plan(7, 100, 5, 7, 50), { range: [7, 50], cuts: 1, marginCuts: 0 }, 'taken meanwhile');
  });

  test('is not cut where only a part of the margin is gone', () => {
    assert.deepEqual(plan(7, 100, 7, 9, 50), { range: [7, 50], cuts: 0, marginCuts: 1 });
  });

  test('says of a cut whether anything is left', () => {
    const { cuts } = planTimes({ begin: at(7), from: at(7), end: at(7) }, bounds(7, 9));
    assert.deepEqual(cuts, [{ partition: 0, low: 7n, gone: undefined, all: true }]);
  });
});

describe('a range of offsets', () => {
  const asked = (first: number, last: number, partition = 0) => [
    { partition, first: BigInt(first), last: BigInt(last) },
  ];

  test('has both ends, and may not reach beyond the partition', () => {
    assert.deepEqual(planOffsets('raw', asked(3, 9), bounds(0, 10)).ranges.get(0), { from: 3n, to: 10n });
    assert.throws(
      () => planOffsets('raw', asked(3, 10), bounds(2, 10)),
      /0:3-10: partition 0 has the offsets 2 to 9/,
    );
    assert.throws(() => planOffsets('raw', asked(4, 5), bounds(4, 4)), /partition 0 has no records/);
    assert.throws(
      () => planOffsets('raw', asked(0, 1, 5), bounds(0, 4)),
      /there is no partition 5; expected 0 to 0/,
    );
  });

  test('is cut by as many records as are gone', () => {
    const part = planOffsets('raw', asked(3, 9), bounds(7, 10));
    assert.deepEqual(part.ranges.get(0), { from: 7n, to: 10n });
    assert.deepEqual(part.cuts, [{ partition: 0, low: 7n, gone: 4n, all: false }]);
    const all = planOffsets('raw', asked(3, 5), bounds(7, 10));
    assert.equal(all.ranges.size, 0);
    assert.deepEqual(all.cuts, [{ partition: 0, low: 7n, gone: 3n, all: true }]);
  });
});

test('of a replay that goes on, only what it has not passed can be cut', () => {
  const rest = (position: number, to: number, low: number) =>
    planRest(new Map([[0, { position: BigInt(position), to: BigInt(to) }]]), bounds(low, 100)).map(
      ({ gone, all }) => [Number(gone), all],
    );
  assert.deepEqual(rest(5, 20, 5), []);
  assert.deepEqual(rest(20, 20, 50), [], 'this partition is done');
  assert.deepEqual(rest(5, 20, 8), [[3, false]]);
  assert.deepEqual(rest(5, 20, 50), [[15, true]]);
});
