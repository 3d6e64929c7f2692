import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import type { OutgoingRecord } from '../../src/core/model/records.ts';
import { drainGroupId } from '../../src/services/drain/assignment.ts';
import { createRunFolder, removeRunFolder } from '../lab/cache.ts';
import { Deployment } from '../lab/deployment/deployment.ts';
import { type PenstockResult, runPenstock, spawnPenstock } from '../lab/deployment/penstock.ts';
import { writeRequest } from '../lab/generator/write-request.ts';
import { startKafka } from '../lab/servers/kafka.ts';
import { findVictoria } from '../lab/servers/victoria-binaries.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../lab/servers/victoriametrics.ts';
import { closeAfterTests } from '../support/closing.ts';

/** The worked examples of docs/guides/backfill.md, each on a deployment of its own, with real servers. */
const SERVICES = ['cart', 'checkout', 'search', 'payments'];
const PODS = 5;
const HOUR_MS = 3_600_000;

const [kafka, storage] = await Promise.all([startKafka(), startVictoriaMetrics()]);
closeAfterTests(storage, kafka);
const folder = createRunFolder('backfill');
after(() => removeRunFolder(folder));

interface Past {
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
  /** Label that has the service's name. */
  readonly label: string;
  /** Tells the series of an example apart from those of the others. */
  readonly example: string;
}

/** Counters of 20 pods that all grow by 3 a step, as agents wrote them at the time: a record a scrape. */
function* scrapes(topic: string, { fromMs, toMs, stepMs, label, example }: Past): Generator<OutgoingRecord> {
  for (let time = fromMs; time < toMs; time += stepMs) {
    const value = ((time - fromMs) / stepMs) * 3;
    const series = SERVICES.flatMap((service) =>
      Array.from({ length: PODS }, (_, pod) => ({
        labels: [
          ['__name__', 'http_requests_total'] as const,
          ['example', example] as const,
          ['pod', `${service}-${pod}`] as const,
          [label, service] as const,
        ],
        samples: [[time, value] as const],
      })),
    );
    yield {
      topic,
      partition: 0,
      key: null,
      value: writeRequest(series),
      headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
      timestamp: time,
    };
  }
}

async function ok(run: Promise<PenstockResult>): Promise<string> {
  const { code, stdout, stderr } = await run;
  assert.equal(code, 0, stderr);
  return stdout;
}

/** Series and samples that a storage has of a selector. */
async function held(where: VictoriaMetrics, selector: string): Promise<[series: number, samples: number]> {
  await where.flush();
  const series = await where.exportSeries(selector);
  return [series.length, series.reduce((sum, { timestamps }) => sum + timestamps.length, 0)];
}

const time = (ms: number) => new Date(ms).toISOString();
const toMinute = (ms: number) => Math.floor(ms / 60_000) * 60_000;

test('a relabel bug: the route is mended, and its series of that time are made again', async () => {
  const fromMs = toMinute(Date.now()) - 3 * HOUR_MS;
  const toMs = fromMs + 2 * HOUR_MS;
  const task = { labels: ['service'], count: 4 };
  const mistaken = { target_label: 'service', source_labels: ['application'] };
  const penstock = await Deployment.create({
    brokers: kafka.brokers,
    routes: [{ name: 'http', relabel: [mistaken], task }],
    nodes: [{ name: 'vmagent-0', url: storage.url }],
  });
  try {
    await penstock.fill(
      scrapes(penstock.raw, { fromMs, toMs, stepMs: 15_000, label: 'app', example: 'bug' }),
    );
    await penstock.start(['worker']);
    await penstock.start(['drain'], { PENSTOCK_DRAIN_NODE: 'vmagent-0' });
    await penstock.workersDone();
    const topic = penstock.topic('http');
    await penstock.noLag(drainGroupId(topic, 'vmagent-0'), topic);
    assert.deepEqual(await held(storage, '{example="bug",service=""}'), [20, 9_600], 'the label is missing');

    const mended = path.join(folder, 'mended.yml');
    const config = JSON.parse(readFileSync(penstock.configFile, 'utf8'));
    config.routes[0].relabel = [{ ...mistaken, source_labels: ['app'] }];
    writeFileSync(mended, JSON.stringify(config));
    const range = ['--from', time(fromMs), '--to', time(toMs), '--by', 'sample-time'];
    const again = `${topic}.again`;
    const replay = ['replay', ...range, '--to-route', 'http', '--output-topic', again];
    const forecast = await ok(runPenstock([...replay, '--dry-run', '--json'], { configFile: mended }));
    assert.match(forecast, /9600/);
    await ok(runPenstock(replay, { configFile: mended }));

    const beside = path.join(folder, 'beside.yml');
    writeFileSync(
      beside,
      JSON.stringify({
        ...config,
        routes: [{ ...config.routes[0], topic: again }],
        admin: { listen: '127.0.0.1:0' },
      }),
    );
    const drain = spawnPenstock(['drain'], { configFile: beside, env: { PENSTOCK_DRAIN_NODE: 'vmagent-0' } });
    await penstock.noLag(drainGroupId(again, 'vmagent-0'), again);
    assert.equal((await drain.stop()).code, 0);
    const stale = new URLSearchParams({ 'match[]': '{example="bug",service=""}' });
    await fetch(`${storage.url}/api/v1/admin/tsdb/delete_series?${stale}`, { method: 'POST' });
    assert.deepEqual(await held(storage, '{example="bug"}'), [20, 9_600]);
    for (const service of SERVICES) {
      assert.deepEqual(await held(storage, `{example="bug",service="${service}"}`), [PODS, 2_400], service);
    }
  } finally {
    await penstock.close();
  }
});

test('three hours of dead storage: what it missed is written from the topic', async () => {
  const deadMs = toMinute(Date.now()) - 4 * HOUR_MS;
  const backMs = deadMs + 3 * HOUR_MS;
  const penstock = await Deployment.create({ brokers: kafka.brokers, routes: [] });
  try {
    const past = { stepMs: 15_000, label: 'service', example: 'dead' };
    await penstock.fill(
      scrapes(penstock.raw, { ...past, fromMs: deadMs - HOUR_MS, toMs: backMs + HOUR_MS / 2 }),
    );
    const range = ['--from', time(deadMs), '--to', time(backMs), '--by', 'sample-time'];
    const said = await ok(
      runPenstock(['replay', ...range, '--to-storage', storage.url], { configFile: penstock.configFile }),
    );
    assert.match(said, /14,400 samples/);
    await storage.flush();
    const series = await storage.exportSeries('{example="dead"}');
    assert.equal(series.length, 20);
    const times = Array.from({ length: 720 }, (_, at) => deadMs + at * 15_000);
    for (const { timestamps } of series) assert.deepEqual(timestamps, times);
  } finally {
    await penstock.close();
  }
});

test('a new aggregation over last week: the raw series go to a storage for a while, vmalert computes from there', async () => {
  const toMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  const fromMs = toMs - 7 * 24 * HOUR_MS;
  const penstock = await Deployment.create({
    brokers: kafka.brokers,
    routes: [],
    rawRetention: '8d',
  });
  const scratch = await startVictoriaMetrics();
  try {
    await penstock.fill(
      scrapes(penstock.raw, { fromMs, toMs, stepMs: 60_000, label: 'service', example: 'week' }),
    );
    const match = '{__name__="http_requests_total",service=~"cart|checkout"}';
    const range = ['--from', time(fromMs), '--to', time(toMs)];
    await ok(
      runPenstock(['replay', ...range, '--match', match, '--to-storage', scratch.url], {
        configFile: penstock.configFile,
      }),
    );
    assert.deepEqual(await held(scratch, '{__name__!=""}'), [2 * PODS, 2 * PODS * 7 * 24 * 60]);

    const rules = path.join(folder, 'service-requests.yml');
    writeFileSync(
      rules,
      [
        'groups:',
        '  - name: service_requests',
        '    interval: 5m',
        '    rules:',
        '      - record: service:http_requests:rate5m',
        '        expr: sum by (service) (rate(http_requests_total[5m]))',
      ].join('\n'),
    );
    const vmalert = await findVictoria('vmalert');
    const run = vmalert.start({
      name: 'vmalert',
      folder,
      args: [
        `-rule=${rules}`,
        `-datasource.url=${scratch.url}`,
        `-remoteWrite.url=${storage.url}`,
        `-replay.timeFrom=${time(fromMs)}`,
        `-replay.timeTo=${time(toMs)}`,
        '-replay.rulesDelay=10ms',
        '-httpListenAddr=127.0.0.1:0',
      ],
    });
    assert.equal((await run.waitForExit({ timeoutMs: 120_000 })).code, 0, run.log().slice(-2000));
    await storage.flush();
    const series = await storage.exportSeries('service:http_requests:rate5m');
    assert.deepEqual(series.map(({ metric }) => metric['service']).sort(), ['cart', 'checkout']);
    for (const { timestamps, values } of series) {
      assert.ok(timestamps.length > 2_000, `${timestamps.length} points of ${(7 * 24 * 60) / 5}`);
      // Five pods that count 3 a minute each.
      for (const [at, value] of values.slice(2).entries()) {
        assert.ok(Math.abs(value! - 0.25) < 1e-9, `${value} at ${time(timestamps[at + 2]!)}`);
      }
    }
  } finally {
    await scratch.close();
    await penstock.close();
  }
});
