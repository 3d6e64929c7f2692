import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../src/app/config/load.ts';
import { drainGroupId } from '../../src/services/drain/assignment.ts';
import { startMetricsStack } from '../lab/deployment/metrics-stack.ts';
import { runPenstock } from '../lab/deployment/penstock.ts';
import { scrape, trueSeries } from '../lab/generator/true-series.ts';
import { placement, seriesId, settled } from '../lab/truth/stored-samples.ts';
import { closeAfterTests } from '../support/closing.ts';

/**
 * End to end: Kafka ▸ workers ▸ drains ▸ three vmagents ▸ VictoriaMetrics, all real, all processes.
 * A worker is added and one is stopped while records flow.
 */
const SERIES = 2_450;
const ROUNDS = 100;
const SERIES_PER_RECORD = 175;
const RAW_PARTITIONS = 6;
/** Without a new sample for so long, no more come, also on a busy machine. */
const COMPLETE_MS = 120_000;
/** So many groups are explained by the command itself, which takes half a second; the others by what it is made of. */
const ASKED = 6;
const NODES = ['vmagent-0', 'vmagent-1', 'vmagent-2'];
const RELABEL = [
  { target_label: 'cluster', replacement: 'e2e' },
  { action: 'labeldrop', regex: 'code' },
  { source_labels: ['instance'], regex: '(.*):\\d+', target_label: 'host', replacement: '$1' },
  { source_labels: ['service'], action: 'drop', regex: 'mail' },
];

const stack = await startMetricsStack({
  nodes: NODES,
  vmagent: (node) => ({ labels: { vmagent: node } }),
  rawPartitions: RAW_PARTITIONS,
  routes: [
    {
      name: 'http',
      match: ['{__name__=~"http_.*"}'],
      relabel: RELABEL,
      task: { labels: ['service', 'namespace', 'shard'], count: 32 },
    },
  ],
});
closeAfterTests(stack);
const { storage, penstock } = stack;

interface Explained {
  routes: { task: number; vmagent: string }[];
}

test('every sample is stored exactly once, each group through the one vmagent that explain names', async () => {
  const series = trueSeries(SERIES);
  const first = await penstock.start(['worker']);
  await penstock.start(['worker']);
  await Promise.all(NODES.map((node) => penstock.start(['drain'], { PENSTOCK_DRAIN_NODE: node })));

  const startMs = Date.now() - ROUNDS * 1000;
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let at = 0; at < SERIES; at += SERIES_PER_RECORD) {
      const body = scrape(series.slice(at, at + SERIES_PER_RECORD), startMs + round * 1000 + at, round);
      await penstock.produce([body], (at / SERIES_PER_RECORD) % RAW_PARTITIONS);
    }
    if (round === 30) await penstock.start(['worker']);
    if (round === 60)
      assert.equal((await first.process.stop()).code, 0, 'a worker that is told to stop exits with 0');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await penstock.workersDone();
  const explained = await explainGroups(series.map(({ labels }) => labels));
  for (const node of NODES) {
    const tasks = new Set(
      [...explained.values()].filter((group) => group.node === node).map(({ task }) => task),
    );
    const topic = penstock.topic('http');
    await penstock.noLag(drainGroupId(topic, node), topic, (task) => tasks.has(task));
  }

  const expected = new Map(
    series
      .filter(({ labels }) => labels['service'] !== 'mail')
      .map(({ labels, samples }) => {
        const { task, node } = explained.get(groupOf(labels))!;
        const { code: _, ...kept } = labels;
        const stored = {
          ...kept,
          cluster: 'e2e',
          host: labels['instance']!.replace(/:\d+$/, ''),
          stream_task_id: String(task),
          vmagent: node,
        };
        return [seriesId(stored), samples] as const;
      }),
  );
  const samples = [...expected.values()].reduce((sum, { size }) => sum + size, 0);
  assert.ok(expected.size >= 2_000 && samples >= 200_000, `${expected.size} series with ${samples} samples`);

  const stored = await storedWhenComplete(samples);
  assert.equal(stored.size, expected.size, 'series in storage');
  const absent = [...expected.keys()].filter((key) => !stored.has(key));
  const foreign = [...stored.keys()].filter((key) => !expected.has(key));
  assert.deepEqual(absent.slice(0, 1), [], `absent of storage; there instead, for example: ${foreign[0]}`);
  for (const [key, values] of expected) {
    const inOrder = [...values].sort(([a], [b]) => a - b);
    assert.deepEqual(stored.get(key), inOrder, key);
  }
});

/** Where each group goes. */
async function explainGroups(all: readonly Readonly<Record<string, string>>[]) {
  const groups = new Map<string, { task: number; node: string }>();
  const place = placement(loadConfig({ file: penstock.configFile, env: {} }));
  for (const labels of all) {
    const group = groupOf(labels);
    if (groups.has(group) || labels['service'] === 'mail') continue;
    const [placed] = place(labels);
    assert.ok(placed, `${group} has no place`);
    const { task, node } = placed;
    if (groups.size < ASKED) assert.deepEqual(await toldByExplain(labels), { task, node });
    groups.set(group, { task, node });
  }
  return groups;
}

async function toldByExplain(labels: Readonly<Record<string, string>>) {
  const { code, stdout, stderr } = await runPenstock(
    ['explain', '--json', '--labels', JSON.stringify(labels)],
    { configFile: penstock.configFile },
  );
  assert.equal(code, 0, stderr);
  const { routes } = JSON.parse(stdout) as Explained;
  return { task: routes[0]!.task, node: routes[0]!.vmagent };
}

function groupOf(labels: Readonly<Record<string, string>>): string {
  return [labels['service'], labels['namespace'], labels['shard']].join('/');
}

/** Everything in storage, once it holds as many samples as it should; vmagents send a moment after they accept. */
async function storedWhenComplete(samples: number): Promise<Map<string, [number, number][]>> {
  const exported = await settled(storage, '{__name__!=""}', samples, COMPLETE_MS);
  return new Map(
    exported.map(({ metric, timestamps, values }) => [
      seriesId(metric),
      timestamps.map((time, at) => [time, values[at]!] as [number, number]).sort(([a], [b]) => a - b),
    ]),
  );
}
