/** One name and value of a series. Both are valid UTF-8 text. */
export interface Label {
  readonly name: string;
  readonly value: string;
}

/**
 * The label set of a series, in the order in which it arrived.
 *
 * Order carries no meaning for identity, but VictoriaMetrics' relabeling looks at it when two labels
 * collide, so it is kept until the series is encoded.
 */
export type Labels = readonly Label[];

/**
 * Hard limit, whatever is configured: rules and lookups scan all labels for each label, so their cost is quadratic.
 */
export const MOST_LABELS = 10_000;

/** Label that holds the metric name. */
export const METRIC_NAME = '__name__';

/** The value of label `name`, or `''` when the series has none (the two mean the same in Prometheus). */
export function labelValue(labels: Labels, name: string): string {
  for (const label of labels) if (label.name === name) return label.value;
  return '';
}

/** Labels from an object, in the order of its keys. */
export function labelsFrom(object: Readonly<Record<string, string>>): Label[] {
  return Object.entries(object).map(([name, value]) => ({ name, value }));
}

/** Selector text of a series, as Prometheus prints it: `http_requests_total{service="cart"}`. */
export function formatSeries(labels: Labels): string {
  const name = labelValue(labels, METRIC_NAME);
  const rest = labels.filter((label) => label.name !== METRIC_NAME);
  if (rest.length === 0 && name !== '') return name;
  return `${name}{${rest.map((label) => `${label.name}=${JSON.stringify(label.value)}`).join(',')}}`;
}
