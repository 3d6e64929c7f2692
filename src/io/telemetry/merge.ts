import { AggregatorRegistry, type Registry } from 'prom-client';

/** Snapshot of a process's metrics, sent between processes as it is. */
export type MetricValues = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** Metrics about the process itself, whose sum over processes would mean nothing. */
const OF_A_PROCESS = /^(process|nodejs)_/;

/** The metric's type by name: prom-client declares a number. */
const typeOf = (metric: MetricValues[number]) => String(metric.type);

/** Adds the label `process` to the metrics about the process itself; leaves Penstock's own as they are. */
export function labelled(metrics: MetricValues, process: string): MetricValues {
  return metrics.map((metric) => {
    if (!OF_A_PROCESS.test(metric.name)) return metric;
    const values = metric.values.map((each) => ({ ...each, labels: { ...each.labels, process } }));
    return { ...metric, aggregator: 'sum', values };
  });
}

/** Counters and histograms: they must never decrease, so they outlive their process. */
export function accumulated(metrics: MetricValues): MetricValues {
  return metrics.filter((metric) => ['counter', 'histogram'].includes(typeOf(metric)));
}

/** Merges metrics: values with the same name and labels are added, or reduced as their `aggregator` says. */
export async function merged(parts: readonly MetricValues[]): Promise<MetricValues> {
  return await AggregatorRegistry.aggregate([...parts]).getMetricsAsJSON();
}

/** `merged` in Prometheus' text format. */
export async function mergedText(parts: readonly MetricValues[]): Promise<string> {
  return await AggregatorRegistry.aggregate([...parts]).metrics();
}
