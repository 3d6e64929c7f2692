import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { compress } from '../../src/wire/snappy.ts';
import { WriteRequestBuilder } from '../../src/wire/write-request-builder.ts';
import { createRunFolder, ROOT } from '../support/cache.ts';
import { type MetricsStack, startMetricsStack } from '../support/metrics-stack.ts';
import { findVictoria } from '../support/servers/victoria-binaries.ts';
import { type ExportedSeries, vmagentHasWindows } from '../support/servers/victoriametrics.ts';

/**
 * What it is all for: vmagents aggregate what drains bring them, by the configuration that is shipped, and only
 * aggregates reach storage. Workers and a drain change places meanwhile.
 *
 * Debian's vmagent cannot aggregate; the test runs where a vmagent of 1.112 or later is first on PATH.
 */
const INTERVAL_MS = 10_000;
const NODES = ['vmagent-0', 'vmagent-1', 'vmagent-2'];
const SERVICES = Array.from({ length: 12 }, (_, n) => `service-${n}`);
const PODS = 5;
/** A sample of every series each second; counters grow by COUNTER_STEP. */
const SECONDS = 45;
const COUNTER_STEP = 3;
const RAW_PARTITIONS = 4;

/** deploy/streamaggr.yml with a shorter interval. */
function shippedConfig(): string {
  const shipped = readFileSync(path.join(ROOT, 'deploy/streamaggr.yml'), 'utf8');
  const file = path.join(createRunFolder('streamaggr'), 'streamaggr.yml');
  writeFileSync(file, shipped.replaceAll('30s', `${INTERVAL_MS / 1000}s`));
  return file;
}

/** One scrape of all pods of a service: a counter and a gauge each. */
function scrape(service: string, second: number, timestampMs: number): Buffer {
  const builder = new WriteRequestBuilder();
  for (let pod = 0; pod < PODS; pod += 1) {
    for (const [name, value] of [
      ['http_requests_total', second * COUNTER_STEP],
      ['queue_length', gauge(pod, second)],
    ] as const) {
      builder.beginSeries();
      builder.label('__name__', name);
      builder.label('namespace', 'shop');
      builder.label('pod', `${service}-${pod}`);
      builder.label('service', service);
      builder.sample(value, timestampMs);
      builder.endSeries();
    }
  }
  return compress(builder.finish());
}

function gauge(pod: number, second: number): number {
  return ((pod * 31 + second * 7) % 97) / 4;
}

const { version } = await findVictoria('vmagent');
const skip = vmagentHasWindows(version) ? false : `vmagent ${version} has no windows of stream aggregation`;

describe('stream aggregation behind the drains', { skip }, () => {
  let stack: MetricsStack;

  before(async () => {
    const streamAggrConfig = shippedConfig();
    stack = await startMetricsStack({
      nodes: NODES,
      vmagent: () => ({ streamAggrConfig, extraArgs: ['-remoteWrite.streamAggr.dropInput=true'] }),
      rawPartitions: RAW_PARTITIONS,
      routes: [{ name: 'http', task: { labels: ['namespace', 'service'], count: 16 } }],
    });
  });
  after(() => stack?.close());

  test('each sample is in one aggregate, and no rate is inflated while processes come and go', async () => {
    const { storage, penstock } = stack;
    const drain = (node: string) => penstock.start(['drain'], { PENSTOCK_DRAIN_NODE: node });
    const first = await penstock.start(['worker']);
    const [firstDrain] = await Promise.all(NODES.map(drain));
    // What an aggregator has of the interval in which it started it does not tell.
    await sleep(2 * INTERVAL_MS - (Date.now() % INTERVAL_MS));

    for (let second = 0; second < SECONDS; second += 1) {
      const now = Date.now();
      for (const [n, service] of SERVICES.entries())
        await penstock.produce([scrape(service, second, now)], n % RAW_PARTITIONS);
      if (second === 12) await penstock.start(['worker']);
      if (second === 22) await first.process.stop();
      if (second === 30) {
        await firstDrain!.process.stop();
        await drain(NODES[0]!);
      }
      await sleep(Math.max(0, 1000 - (Date.now() - now)));
    }
    await penstock.workersDone();
    await sleep(3 * INTERVAL_MS);

    await storage.flush();
    const stored = await storage.exportSeries('{__name__!=""}');
    assert.deepEqual(
      [...new Set(stored.map(({ metric }) => metric['__name__']))].sort(),
      [
        'http_requests_total:rate_sum',
        'queue_length:count_samples',
        'queue_length:max',
        'queue_length:sum_samples',
      ],
      'only aggregates',
    );
    assert.equal(stored.filter(({ metric }) => metric['pod'] !== undefined).length, 0, 'no pods are left');

    const expectedSum = range(PODS)
      .flatMap((pod) => range(SECONDS).map((second) => gauge(pod, second)))
      .reduce((sum, value) => sum + value, 0);
    for (const service of SERVICES) {
      const of = (name: string) =>
        stored.filter(({ metric }) => metric['__name__'] === name && metric['service'] === service);
      const [count, ...others] = of('queue_length:count_samples');
      assert.equal(others.length, 0, `${service}: more than one vmagent, or task`);
      assert.equal(total(count!), SECONDS * PODS, `${service}: samples in aggregates`);
      assert.equal(total(of('queue_length:sum_samples')[0]!), expectedSum, `${service}: their sum`);
      const rates = of('http_requests_total:rate_sum')[0]!.values as number[];
      assert.ok(rates.length >= 3, `${service}: ${rates.length} rates`);
      // A second is a little more than a second here, by what the loop itself takes.
      for (const rate of rates)
        assert.ok(
          rate > 0.8 * COUNTER_STEP * PODS && rate < 1.1 * COUNTER_STEP * PODS,
          `${service}: rates ${rates}`,
        );
    }
  });
});

function range(count: number): number[] {
  return [...Array(count).keys()];
}

function total({ values }: ExportedSeries): number {
  return values.reduce<number>((sum, value) => sum + value!, 0);
}
