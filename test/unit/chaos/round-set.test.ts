import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoundSet } from '../../chaos/round-set.ts';

test('a set of rounds has what was added, and grows', () => {
  const set = new RoundSet();
  const rounds = [0, 7, 8, 511, 512, 100_000];
  for (const round of [...rounds, 8, 0]) set.add(round);
  assert.equal(set.size, rounds.length);
  assert.deepEqual(
    Array.from({ length: 100_001 }, (_, round) => round).filter((round) => set.has(round)),
    rounds,
  );
  assert.ok(!set.has(-1) && !set.has(7.5) && !set.has(Number.NaN) && !set.has(2 ** 40));
});
