import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../src/config/load.ts';
import { compress } from '../../src/wire/snappy.ts';
import { WriteRequestBuilder } from '../../src/wire/write-request-builder.ts';
import { compareAggregates, expectedAggregates, type InputSeries } from '../support/aggregate-truth.ts';
import { createRunFolder, ROOT } from '../support/cache.ts';
import { type MetricsStack, startMetricsStack } from '../support/metrics-stack.ts';
import { poll } from '../support/process.ts';
import {
  findRelease,
  findVictoria,
  OLDEST_VMAGENT_VERSION,
  type VictoriaBinary,
} from '../support/servers/victoria-binaries.ts';
import { type ExportedSeries, vmagentHasWindows } from '../support/servers/victoriametrics.ts';
import { type Place, placement } from '../support/verify.ts';

/**
 * What it is all for: vmagents aggregate what drains bring them, by the rules that are shipped, and only aggregates reach
 * storage. Workers and a drain change places meanwhile. Every aggregate of every window is held against the truth, with
 * the vmagent that tests use and with the oldest that the documents allow.
 *
 * Debian's vmagent cannot aggregate: without Go, docker and a vmagent on PATH nothing of this can be seen.
 */
const INTERVAL_MS = 10_000;
const NODES = ['vmagent-0', 'vmagent-1', 'vmagent-2'];
const SERVICES = Array.from({ length: 8 }, (_, n) => `service-${n}`);
const PODS = 3;
/** A sample of every series each second. */
const SECONDS = 45;
const RAW_PARTITIONS = 4;
/** How long the last window may take to reach storage. */
const FLUSH_MS = 60_000;
const LE = ['0.1', '1', '+Inf'];

/** deploy/streamaggr.yml with a shorter interval. */
function shippedConfig(): string {
  const shipped = readFileSync(path.join(ROOT, 'deploy/streamaggr.yml'), 'utf8');
  const file = path.join(createRunFolder('streamaggr'), 'streamaggr.yml');
  writeFileSync(file, shipped.replaceAll('30s', `${INTERVAL_MS / 1000}s`));
  return file;
}

/** Values of one pod at a second, by metric and further labels. Counters of pod 1 are reset once. */
function podValues(pod: number, second: number): [string, Record<string, string>, number][] {
  const since = pod === 1 && second >= 25 ? second - 25 : second;
  const calls = since * (pod + 3);
  const gauge = ((pod * 31 + second * 7) % 97) / 4;
  return [
    ['http_requests_total', {}, calls],
    ['queue_length', {}, gauge],
    ...LE.map((le, at): [string, Record<string, string>, number] => [
      'http_request_duration_seconds_bucket',
      { le },
      Math.floor((calls * (at + 1)) / LE.length),
    ]),
    ['http_request_duration_seconds_sum', {}, calls / 8],
    ['http_request_duration_seconds_count', {}, calls],
    ['rpc_duration_seconds', { quantile: '0.5' }, gauge],
    ['rpc_duration_seconds', { quantile: '0.99' }, gauge * 2],
    ['rpc_duration_seconds_sum', {}, calls / 4],
    ['rpc_duration_seconds_count', {}, calls],
  ];
}

/** All that was written: by labels, the samples. */
class Truth {
  readonly #series = new Map<string, { labels: Record<string, string>; samples: [number, number][] }>();

  add(labels: Record<string, string>, timeMs: number, value: number): void {
    const key = JSON.stringify(labels);
    const series = this.#series.get(key) ?? { labels, samples: [] };
    this.#series.set(key, series);
    series.samples.push([timeMs, value]);
  }

  /** As the vmagents get it. */
  placed(place: Place): InputSeries[] {
    return [...this.#series.values()].flatMap(({ labels, samples }) =>
      place(labels).map((placed) => ({ labels: placed.labels, samples })),
    );
  }
}

/** One scrape of all pods of a service in remote write. */
function scrape(service: string, second: number, timeMs: number, truth: Truth): Buffer {
  const builder = new WriteRequestBuilder();
  for (let pod = 0; pod < PODS; pod += 1) {
    for (const [name, more, value] of podValues(pod, second)) {
      const labels = { __name__: name, namespace: 'shop', pod: `${service}-${pod}`, service, ...more };
      truth.add(labels, timeMs, value);
      builder.beginSeries();
      for (const label of Object.keys(labels).sort()) {
        builder.label(label, labels[label as keyof typeof labels] ?? '');
      }
      builder.sample(value, timeMs);
      builder.endSeries();
    }
  }
  return compress(builder.finish());
}

/** What an OpenTelemetry SDK would send of a service: a sum, a gauge and a histogram, under OpenTelemetry's names. */
function otlp(service: string, second: number, timeMs: number, truth: Truth): Buffer {
  const attributes = [
    { key: 'namespace', value: { stringValue: 'shop' } },
    { key: 'service', value: { stringValue: service } },
  ];
  const point = { attributes, timeUnixNano: `${timeMs}000000` };
  const count = second * 4;
  const labels = { namespace: 'shop', service };
  const arrive = (name: string, value: number, more: Record<string, string> = {}) =>
    truth.add({ __name__: name, ...labels, ...more }, timeMs, value);
  arrive('orders_placed_total', second * 2);
  arrive('pool_connections', second % 9);
  arrive('order_duration_seconds_count', count);
  arrive('order_duration_seconds_sum', count / 2);
  arrive('order_duration_seconds_bucket', second, { le: '0.5' });
  arrive('order_duration_seconds_bucket', count, { le: '+Inf' });
  const metrics = [
    {
      name: 'orders.placed',
      unit: '{order}',
      sum: {
        isMonotonic: true,
        aggregationTemporality: 2,
        dataPoints: [{ ...point, asInt: String(second * 2) }],
      },
    },
    { name: 'pool.connections', gauge: { dataPoints: [{ ...point, asInt: String(second % 9) }] } },
    {
      name: 'order.duration',
      unit: 's',
      histogram: {
        aggregationTemporality: 2,
        dataPoints: [
          {
            ...point,
            count: String(count),
            sum: count / 2,
            bucketCounts: [String(second), String(count - second)],
            explicitBounds: [0.5],
          },
        ],
      },
    },
  ];
  return Buffer.from(JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }));
}

async function startStack(vmagent: VictoriaBinary): Promise<MetricsStack> {
  const streamAggrConfig = shippedConfig();
  return await startMetricsStack({
    nodes: NODES,
    vmagent: () => ({
      binary: vmagent,
      streamAggrConfig,
      extraArgs: ['-remoteWrite.streamAggr.dropInput=true'],
    }),
    rawPartitions: RAW_PARTITIONS,
    ingest: { otlp: { use_prometheus_naming: true } },
    routes: [{ name: 'services', task: { labels: ['namespace', 'service'], count: 16 } }],
  });
}

/** Runs load and changes, and returns what was written. */
async function perform({ penstock }: MetricsStack, truth: Truth): Promise<{ from: number; to: number }> {
  const drain = (node: string) => penstock.start(['drain'], { PENSTOCK_DRAIN_NODE: node });
  const first = await penstock.start(['worker']);
  const [firstDrain] = await Promise.all(NODES.map(drain));
  // What an aggregator has of the interval in which it started it does not tell.
  await sleep(INTERVAL_MS - (Date.now() % INTERVAL_MS) + 100);
  const from = Date.now();
  const changes: Promise<unknown>[] = [];
  for (let second = 0; second < SECONDS; second += 1) {
    const now = from + second * 1000;
    await sleep(Math.max(0, now - Date.now()));
    for (const [n, service] of SERVICES.entries()) {
      await penstock.produce([scrape(service, second, now, truth)], n % RAW_PARTITIONS);
      const headers = { 'content-type': 'application/x-otlp+json' };
      await penstock.produce([otlp(service, second, now, truth)], n % RAW_PARTITIONS, headers);
    }
    // Early in a window: what comes after a window has closed is dropped by vmagent, whoever holds it up.
    if (second === 11) changes.push(penstock.start(['worker']));
    if (second === 21) changes.push(first.process.stop());
    if (second === 31) changes.push(firstDrain!.process.stop().then(() => drain(NODES[0]!)));
  }
  await Promise.all(changes);
  return { from: Math.floor(from / INTERVAL_MS) * INTERVAL_MS, to: from + (SECONDS - 1) * 1000 };
}

async function storedAggregates({ storage }: MetricsStack): Promise<ExportedSeries[]> {
  await storage.flush();
  return await storage.exportSeries('{__name__!=""}');
}

async function check(vmagent: VictoriaBinary): Promise<void> {
  const stack = await startStack(vmagent);
  try {
    const truth = new Truth();
    const windows = { ...(await perform(stack, truth)), intervalMs: INTERVAL_MS };
    await stack.penstock.workersDone();
    const place = placement(loadConfig({ file: stack.penstock.configFile, env: {} }));
    const expected = expectedAggregates(truth.placed(place), windows);
    assert.ok(expected.size > 0);
    // Everything that is wrong is shown, once nothing more comes.
    let verdict = compareAggregates(expected, await storedAggregates(stack), windows);
    await poll(
      async () => {
        verdict = compareAggregates(expected, await storedAggregates(stack), windows);
        return verdict.equal === verdict.expected;
      },
      { timeoutMs: FLUSH_MS },
      () => new Error('wrong'),
    ).catch(() => undefined);
    assert.deepEqual(verdict.problems, [], `${verdict.equal} of ${verdict.expected} aggregates are right`);
    const stored = await storedAggregates(stack);
    const raw = stored.filter(
      ({ metric }) => !metric['__name__']?.includes(':') || metric['pod'] !== undefined,
    );
    assert.deepEqual(raw, [], 'only aggregates, without pods');
  } finally {
    await stack.close();
  }
}

const current = await findVictoria('vmagent');
const oldest = await findRelease('vmagent', OLDEST_VMAGENT_VERSION);
const skip = vmagentHasWindows(current.version)
  ? false
  : `vmagent ${current.version} has no windows of stream aggregation`;

describe('the shipped rules behind drains that come and go give the true aggregates', {
  concurrency: true,
}, () => {
  test(`with the vmagent of the tests, ${current.version}`, { skip }, () => check(current));
  if (oldest !== undefined) test(`with the oldest that is allowed, ${oldest.version}`, () => check(oldest));
});
