import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fleet, type Scrape } from '../../../../src/core/generate/fleet.ts';
import { formatSeries, labelValue } from '../../../../src/core/model/labels.ts';

const START_MS = 1_700_000_000_000;
const INTERVAL_MS = 5_000;

/** The scrapes of the first ten minutes: long enough for pods to come and go. */
function tenMinutes(options: { seed?: number; startMs?: number; series?: number } = {}): Scrape[] {
  const { seed = 1, startMs = START_MS, series = 700 } = options;
  const fleet = new Fleet({ series, seed, intervalMs: INTERVAL_MS, startMs });
  const scrapes: Scrape[] = [];
  while (fleet.nextMs < startMs + 600_000) scrapes.push(fleet.next());
  return scrapes;
}

const all = tenMinutes();
const byPod = Map.groupBy(all, ({ pod }) => pod.name);

function isCounter(name: string): boolean {
  return /_(total|bucket|sum|count)$/.test(name);
}

test('the same seed gives the same scrapes, another seed others', () => {
  assert.deepEqual(tenMinutes(), all);
  assert.notDeepEqual(
    tenMinutes({ seed: 2 }).map(({ pod }) => pod.name),
    all.map(({ pod }) => pod.name),
  );
});

test('another start shifts the times and nothing else', () => {
  const shifted = tenMinutes({ startMs: START_MS + 12_345 });
  assert.deepEqual(
    shifted.map((scrape) => ({ ...scrape, timestampMs: scrape.timestampMs - 12_345 })),
    all,
  );
});

test('times never go back, and a pod is scraped once an interval', () => {
  for (const [at, { timestampMs }] of all.entries()) {
    assert.ok(timestampMs >= (all[at - 1]?.timestampMs ?? START_MS));
  }
  for (const scrapes of byPod.values()) {
    for (const [at, { timestampMs }] of scrapes.entries()) {
      if (at > 0) assert.equal(timestampMs - scrapes[at - 1]!.timestampMs, INTERVAL_MS);
    }
  }
});

test('counters only grow in the life of a pod', () => {
  let grown = 0;
  for (const scrapes of byPod.values()) {
    const last = new Map<string, number>();
    for (const { series } of scrapes.filter(({ stale }) => !stale)) {
      for (const { labels, value } of series) {
        if (!isCounter(labelValue(labels, '__name__'))) continue;
        const id = formatSeries(labels);
        const before = last.get(id);
        if (before !== undefined) {
          assert.ok(value >= before, `${id}: ${before} ▸ ${value}`);
          grown += value > before ? 1 : 0;
        }
        last.set(id, value);
      }
    }
  }
  assert.ok(grown > 10_000, `${grown}`);
});

test('a histogram is cumulative, and its last bucket is its count and the sum of its requests', () => {
  const { series } = all.at(-1)!;
  const route = labelValue(series[0]!.labels, 'route');
  const ofRoute = (name: string) =>
    series.filter(
      ({ labels }) => labelValue(labels, '__name__') === name && labelValue(labels, 'route') === route,
    );
  const bounds = ofRoute('http_request_duration_seconds_bucket').map(({ value }) => value);
  assert.deepEqual(
    bounds,
    bounds.toSorted((a, b) => a - b),
  );
  const requests = ofRoute('http_requests_total').reduce((sum, { value }) => sum + value, 0);
  assert.ok(requests > 0);
  assert.equal(bounds.at(-1), requests);
  assert.equal(ofRoute('http_request_duration_seconds_count')[0]!.value, requests);
});

test('a pod that goes leaves one stale marker for each series, as its last scrape', () => {
  const gone = [...byPod.values()].filter((scrapes) => scrapes.some(({ stale }) => stale));
  assert.ok(gone.length >= 3, `${gone.length} pods went`);
  for (const scrapes of gone) {
    assert.deepEqual(
      scrapes.map(({ stale }) => stale),
      scrapes.map((_, at) => at === scrapes.length - 1),
    );
    assert.deepEqual(
      scrapes.at(-1)!.series.map(({ labels }) => labels),
      scrapes[0]!.series.map(({ labels }) => labels),
    );
  }
});

test('a new pod takes the place of the one that went, and its counters begin low', () => {
  const later = [...byPod.values()].filter((scrapes) => scrapes[0]!.timestampMs > START_MS + INTERVAL_MS);
  assert.ok(later.length >= 3, `${later.length} pods came`);
  const requests = ({ series }: Scrape) =>
    series
      .filter(({ labels }) => labelValue(labels, '__name__') === 'http_requests_total')
      .reduce((sum, { value }) => sum + value, 0);
  for (const [first] of later) assert.ok(requests(first!) < 5_000, `${requests(first!)}`);
});

test('series are about as many as asked for, in two namespaces, with sorted labels and names of pods as Kubernetes gives', () => {
  const first = new Map(
    all.filter(({ timestampMs }) => timestampMs < START_MS + INTERVAL_MS).map((s) => [s.pod.name, s]),
  );
  const series = [...first.values()].flatMap((scrape) => scrape.series);
  assert.ok(series.length >= 700 && series.length < 780, `${series.length}`);
  assert.deepEqual([...new Set(series.map(({ labels }) => labelValue(labels, 'namespace')))].sort(), [
    'billing',
    'shop',
  ]);
  const names = new Set(series.map(({ labels }) => formatSeries(labels)));
  assert.equal(names.size, series.length);
  for (const { labels } of series) {
    const keys = labels.map(({ name }) => name);
    assert.deepEqual(keys, keys.toSorted());
    assert.match(labelValue(labels, 'pod'), /^[a-z]+-[b-z2-9]{9}-[b-z2-9]{5}$/);
  }
});
