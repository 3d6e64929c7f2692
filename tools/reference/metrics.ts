import type { Registry } from 'prom-client';
import { Metrics } from '../../src/io/telemetry/metrics.ts';
import { ReplayMetrics } from '../../src/services/replay/metrics.ts';
import { cell, code, tableOf } from './markdown.ts';

/** Processes that expose a metric, by the start of its name; the first match applies. */
const PROCESSES: readonly [RegExp, string][] = [
  [/^replay_/, 'replay'],
  [/^(samples|series)_total$/, 'worker, drain'],
  [/^(ingest|publish|series_cache|route|worker)_/, 'worker'],
  [
    /^(dropped_samples|uncarried|records_without_time|out_of_range|unstorable|transactions|schema)_/,
    'worker',
  ],
  [/^schema_waiting/, 'worker'],
  [/^(deliver|drain)_/, 'drain'],
  [/^(source_faults|late_samples)_/, 'drain'],
  [/./, 'worker, drain'],
];

const HEAD = `# Metrics

<!-- Generated from the metrics in src/ by \`npm run reference\`. -->

Every long-running command serves Prometheus metrics under \`/metrics\` of \`admin.listen\` (\`127.0.0.1:9480\` unless
told). Times are seconds, sizes bytes. Beside these are the usual figures of the process
(\`process_cpu_seconds_total\`, \`process_resident_memory_bytes\`, \`nodejs_…\`).
[Alerts](../operations/alerts.md) says what to look at first, and how to read the figures of several processes.
`;

interface Metric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** docs/reference/metrics.md. */
export async function metricsPage(): Promise<string> {
  const rows = (metrics: readonly Metric[]) =>
    tableOf(
      ['metric', 'type', 'labels', 'process', ''],
      metrics.map(({ name, type, labels, help }) => [
        code(name),
        type,
        labels.map(code).join(', '),
        processesOf(name),
        cell(help),
      ]),
    );
  const services = await metricsOf(new Metrics().registry);
  const replay = await metricsOf(new ReplayMetrics().registry);
  return [HEAD, '## Worker and drain', '', rows(services), '## Replay', '', rows(replay)].join('\n');
}

/** Penstock's own metrics, in the order of declaration. */
async function metricsOf(registry: Registry): Promise<Metric[]> {
  const all = await registry.getMetricsAsJSON();
  return all
    .filter(({ name }) => name.startsWith('penstock_'))
    .map(({ name, type, help }) => {
      const { labelNames } = registry.getSingleMetric(name) as unknown as { labelNames: string[] };
      return { name, type: String(type), help, labels: labelNames };
    });
}

function processesOf(name: string): string {
  const plain = name.replace('penstock_', '');
  return PROCESSES.find(([pattern]) => pattern.test(plain))![1];
}
