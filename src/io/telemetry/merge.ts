import { AggregatorRegistry, type Registry } from 'prom-client';

/** The metrics of one process with their values at one moment; passes from process to process as it is. */
export type MetricValues = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** What is said of the process itself: a sum over processes would mean nothing. */
const OF_A_PROCESS = /^(process|nodejs)_/;

/** prom-client's types say a number, its values are these names. */
const typeOf = (metric: MetricValues[number]) => String(metric.type);

/** Puts the label `process` on the figures of the process itself; what Penstock counts stays as it is. */
export function labelled(metrics: MetricValues, process: string): MetricValues {
  return metrics.map((metric) => {
    if (!OF_A_PROCESS.test(metric.name)) return metric;
    const values = metric.values.map((each) => ({ ...each, labels: { ...each.labels, process } }));
    return { ...metric, aggregator: 'sum', values };
  });
}

/** Those metrics that must never go back: what a process that has ended leaves behind. */
export function accumulated(metrics: MetricValues): MetricValues {
  return metrics.filter((metric) => ['counter', 'histogram'].includes(typeOf(metric)));
}

/** One set of metrics for several: values with the same name and labels are added. */
export async function merged(parts: readonly MetricValues[]): Promise<MetricValues> {
  return await AggregatorRegistry.aggregate([...parts]).getMetricsAsJSON();
}

/** The same in Prometheus' text format. */
export async function mergedText(parts: readonly MetricValues[]): Promise<string> {
  return await AggregatorRegistry.aggregate([...parts]).metrics();
}
