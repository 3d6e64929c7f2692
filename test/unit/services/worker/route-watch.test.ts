import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { type StepCounts, zeroCounts } from '../../../../src/core/pipeline/step-counts.ts';
import { Metrics } from '../../../../src/io/telemetry/metrics.ts';
import { RouteWatch } from '../../../../src/services/worker/route-watch.ts';

const ROUTE = { name: 'http', groupLabels: ['service', 'namespace'] };

function observed() {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const metrics = new Metrics();
  const watch = new RouteWatch(metrics, log);
  const step = (
    nowMs: number,
    newSeries: number,
    newWithoutLabel: number[],
    more: Partial<StepCounts> = {},
  ) => {
    const counts = zeroCounts(1);
    Object.assign(counts.routes[0]!, { newSeries, newWithoutLabel });
    watch.step('raw', { ...counts, ...more }, [ROUTE], nowMs);
  };
  return { lines, metrics, step };
}

const value = async (metrics: Metrics, name: string) => {
  const { values } = await metrics.registry.getSingleMetric(`penstock_${name}`)!.get();
  return values.map((each) => [each.labels, each.value]);
};

test('a group label that series do not have is counted by route and label, and told once in ten minutes', async () => {
  const { lines, metrics, step } = observed();
  step(0, 30, [30, 1]);
  assert.deepEqual(lines, []);
  step(1_000, 30, [29, 1]);
  assert.equal(lines.length, 1);
  const { route, label, series, without } = lines[0]!;
  assert.deepEqual(
    { route, label, series, without },
    { route: 'http', label: 'service', series: 60, without: 59 },
  );
  assert.match(String(lines[0]!['msg']), /group label service of route http .* divides nothing/);
  step(2_000, 60, [60, 0]);
  assert.equal(lines.length, 1);
  step(601_000, 60, [60, 0]);
  assert.equal(lines.length, 2);
  assert.deepEqual(await value(metrics, 'route_new_series_total'), [[{ route: 'http' }, 180]]);
  assert.deepEqual(await value(metrics, 'route_new_series_without_label_total'), [
    [{ route: 'http', label: 'service' }, 179],
    [{ route: 'http', label: 'namespace' }, 2],
  ]);
});

test('a label that some series do not have is not told', () => {
  const { lines, step } = observed();
  step(0, 100, [80, 50]);
  step(120_000, 100, [80, 50]);
  assert.deepEqual(lines, []);
});

test('where few series are new they are judged after a minute', () => {
  const { lines, step } = observed();
  step(0, 8, [8, 0]);
  step(59_000, 1, [1, 0]);
  step(60_000, 1, [1, 0]);
  assert.equal(lines.length, 1);
});

test('samples without a route are counted, and told with one of their series', async () => {
  const { lines, metrics, step } = observed();
  const labels = [
    { name: '__name__', value: 'up' },
    { name: 'job', value: 'x' },
  ];
  step(0, 0, [], { unroutedSamples: 5, unroutedExample: labels });
  step(1_000, 0, [], { unroutedSamples: 7 });
  assert.equal(lines.length, 1);
  assert.deepEqual([lines[0]!['samples'], lines[0]!['example']], [5, 'up{job="x"}']);
  assert.match(String(lines[0]!['msg']), /no route matches/);
  step(600_000, 0, [], { unroutedSamples: 1 });
  assert.deepEqual([lines[1]!['samples'], lines[1]!['example']], [8, 'up{job="x"}']);
  assert.deepEqual(await value(metrics, 'dropped_samples_total'), [
    [{ reason: 'no_route', route: '', topic: 'raw' }, 13],
  ]);
});
