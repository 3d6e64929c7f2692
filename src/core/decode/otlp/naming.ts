import type { OtlpOptions } from '../decode-options.ts';

/** Words for UCUM units (opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics, "Metric Metadata"). */
const UNITS = new Map([
  ['d', 'days'],
  ['h', 'hours'],
  ['min', 'minutes'],
  ['s', 'seconds'],
  ['ms', 'milliseconds'],
  ['us', 'microseconds'],
  ['ns', 'nanoseconds'],
  ['By', 'bytes'],
  ['KiBy', 'kibibytes'],
  ['MiBy', 'mebibytes'],
  ['GiBy', 'gibibytes'],
  ['TiBy', 'tibibytes'],
  ['KBy', 'kilobytes'],
  ['MBy', 'megabytes'],
  ['GBy', 'gigabytes'],
  ['TBy', 'terabytes'],
  ['m', 'meters'],
  ['V', 'volts'],
  ['A', 'amperes'],
  ['J', 'joules'],
  ['W', 'watts'],
  ['g', 'grams'],
  ['Cel', 'celsius'],
  ['Hz', 'hertz'],
  ['1', ''],
  ['%', 'percent'],
]);

const PER_UNITS = new Map([
  ['s', 'second'],
  ['m', 'minute'],
  ['h', 'hour'],
  ['d', 'day'],
  ['w', 'week'],
  ['mo', 'month'],
  ['y', 'year'],
]);

/**
 * Longer names are left as they are: no storage accepts them and `worker.limits` refuses them, while splitting
 * megabytes of separators costs hundreds of megabytes.
 */
const LONGEST_NAME = 64 * 1024;

/** Kind of a metric, on which the suffix of its name depends. */
export type MetricKind = 'gauge' | 'counter' | 'histogram' | 'summary';

/** Metric name for a unit and kind, before suffixes such as `_bucket`. */
export function metricName(name: string, unit: string, kind: MetricKind, options: OtlpOptions): string {
  if (!options.use_prometheus_naming && !options.convert_metric_names_to_prometheus) return name;
  if (name.length > LONGEST_NAME) return name;
  const tokens = name.split(/[/_.\-: ]/).filter((token) => token !== '');
  const slash = unit.indexOf('/');
  const main = (slash < 0 ? unit : unit.slice(0, slash)).trim();
  const per = slash < 0 ? '' : unit.slice(slash + 1).trim();
  // A unit in braces is an annotation, not a unit.
  if (!main.includes('{')) {
    const word = UNITS.get(main) ?? main;
    if (word !== '' && !tokens.includes(word)) tokens.push(word);
  }
  if (!per.includes('{')) {
    const word = PER_UNITS.get(per) ?? per;
    if (word !== '' && !tokens.includes(word)) tokens.push('per', word);
  }
  if (kind === 'counter') moveToEnd(tokens, 'total');
  else if (unit === '1' && kind === 'gauge') moveToEnd(tokens, 'ratio');
  return tokens.join('_');
}

/** Label name of an attribute. */
export function labelName(name: string, options: OtlpOptions): string {
  if (!options.use_prometheus_naming) return name;
  if (name.length > LONGEST_NAME) return name;
  const sanitized = name.replace(/[^a-zA-Z0-9_]/gu, '_');
  if (/^[0-9]/.test(sanitized)) return `key_${sanitized}`;
  return options.label_name_underscore_sanitization && /^_(?!_)/.test(sanitized)
    ? `key${sanitized}`
    : sanitized;
}

function moveToEnd(tokens: string[], token: string): void {
  const at = tokens.indexOf(token);
  if (at >= 0) tokens.splice(at, 1);
  tokens.push(token);
}
