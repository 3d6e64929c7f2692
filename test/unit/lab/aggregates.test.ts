import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compareAggregates,
  expectedAggregates,
  type InputSeries,
  windowEnds,
} from '../../lab/truth/aggregates.ts';

const BASE = { namespace: 'shop', service: 'cart', stream_task_id: '3' };
const WINDOWS = { intervalMs: 10_000, ends: windowEnds(9_000, 30_000, 10_000) };

function series(name: string, samples: [number, number][], more: Record<string, string> = {}): InputSeries {
  return { labels: { __name__: name, pod: 'a', ...BASE, ...more }, samples };
}

const INPUT: readonly InputSeries[] = [
  // In the first window it grows by 6 in 10 s; then it is reset and grows by 2 + 4 in 9 s.
  series('calls_total', [
    [9_000, 4],
    [19_000, 10],
    [21_000, 2],
    [28_000, 6],
  ]),
  // First seen in the second window: 5 in 4 s. A stale marker counts for nothing.
  series('calls_total', [
    [22_000, 1],
    [26_000, 6],
    [27_000, Number.NaN],
  ]),
  series('queue', [
    [10_000, 99],
    [15_000, 1],
    [20_000, 3],
  ]),
  series(
    'latency_bucket',
    [
      [11_000, 1],
      [13_000, 5],
    ],
    { le: '1' },
  ),
];

const text = (name: string, more = '') =>
  `{__name__="${name}",${more}namespace="shop",service="cart",stream_task_id="3"}`;
const RIGHT = new Map([
  [`${text('calls_total:rate_sum')}@20000`, 0.6],
  [`${text('calls_total:rate_sum')}@30000`, 6 / 9 + 5 / 4],
  [`${text('queue:count_samples')}@20000`, 2],
  [`${text('queue:max')}@20000`, 3],
  [`${text('queue:sum_samples')}@20000`, 4],
  [`${text('latency_bucket:rate_sum', 'le="1",')}@20000`, 2],
]);

test('aggregates are worked out by the windows of samples’ own time', () => {
  assert.deepEqual([...expectedAggregates(INPUT, WINDOWS)].sort(), [...RIGHT].sort());
});

test('a value that is wrong, missing, twice or of nobody is a problem', () => {
  const metric = { __name__: 'queue:max', vmagent: 'vmagent-0', ...BASE };
  const stored = (values: number[], timestamps: number[]) =>
    compareAggregates(
      new Map([[`${text('queue:max')}@20000`, 3]]),
      [{ metric, values, timestamps }],
      WINDOWS,
    );
  assert.deepEqual(stored([3], [20_000]), { expected: 1, equal: 1, problems: [] });
  assert.match(stored([4], [20_000]).problems.join(), /: 4, expected 3$/);
  assert.match(stored([], []).problems.join(), /: missing, expected 3$/);
  assert.match(stored([3, 3], [20_000, 20_000]).problems.join(), /: 3, twice$/);
  assert.match(stored([3, 1], [20_000, 30_000]).problems.join(), /: 1, not expected$/);
  // Windows that are not all in the range are left out.
  assert.deepEqual(stored([1, 3, 1], [10_000, 20_000, 40_000]).problems, []);
});
