import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReplayProgress } from '../../../../src/services/replay/progress.ts';
import type { StoredReplay } from '../../../../src/services/replay/stored-replay.ts';

const PARTITIONS = new Map([
  [0, { from: 0n, to: 100n, position: 0n }],
  [1, { from: 50n, to: 150n, position: 50n }],
]);

type Partitions = StoredReplay['partitions'];

/** The same partitions, of which some have come further. */
function at(partitions: Partitions, positions: readonly [number, bigint][]): Partitions {
  const moved = positions.map(([id, position]) => [id, { ...partitions.get(id)!, position }] as const);
  return new Map([...partitions, ...moved]);
}

test('progress has share, speed, time left, and what is behind the end', () => {
  const progress = new ReplayProgress();
  assert.equal(progress.snapshot(0).share, 0, 'before the ranges are known');
  progress.opened(PARTITIONS, 0);
  assert.deepEqual(progress.snapshot(0), {
    share: 0,
    samples: 0,
    samplesPerSecond: 0,
    secondsLeft: undefined,
    behind: [
      { partition: 0, offsets: 100 },
      { partition: 1, offsets: 100 },
    ],
  });
  progress.written(at(PARTITIONS, [[0, 40n]]), 4_000, 2_000);
  assert.deepEqual(progress.snapshot(2_000), {
    share: 0.2,
    samples: 4_000,
    samplesPerSecond: 2_000,
    secondsLeft: 8,
    behind: [
      { partition: 1, offsets: 100 },
      { partition: 0, offsets: 60 },
    ],
  });
  progress.written(
    at(PARTITIONS, [
      [0, 100n],
      [1, 150n],
    ]),
    1,
    4_000,
  );
  const { share, behind, secondsLeft } = progress.snapshot(4_000);
  assert.deepEqual([share, behind, secondsLeft], [1, [], 0]);
});

test('speed is that of the last while, and what came before a resumption is no speed', () => {
  const progress = new ReplayProgress();
  const partitions = new Map([[0, { from: 0n, to: 1_000_000n, position: 500_000n }]]);
  progress.opened(partitions, 0);
  let position = 500_000n;
  for (let second = 1; second <= 60; second++) {
    position += 100n;
    progress.written(at(partitions, [[0, position]]), 1_000, second * 1_000);
  }
  for (let second = 61; second <= 120; second++) {
    position += 10n;
    progress.written(at(partitions, [[0, position]]), 100, second * 1_000);
  }
  const { samplesPerSecond, samples } = progress.snapshot(120_000);
  assert.ok(samplesPerSecond > 99 && samplesPerSecond < 101, String(samplesPerSecond));
  assert.equal(samples, 66_000);
});
