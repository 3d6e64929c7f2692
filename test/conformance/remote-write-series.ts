import type { PlainSeries } from '../lab/truth/prompb.ts';

/** A series as the remote write vectors write it (their README has the details). */
export interface ExpectedSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly label_list?: readonly [string, string][];
  /** `[ms, value]`, in 2.0 also `[ms, value, start ms]`. */
  readonly samples: readonly (readonly [number | string, string, ...unknown[]])[];
  readonly exemplars?: readonly {
    labels: Record<string, string>;
    value: string;
    timestamp: number | string;
  }[];
  readonly histograms?: readonly Record<string, unknown>[];
}

/** A decoded series in a form that can be compared: times as text, doubles as numbers or kinds of NaN. */
export function normalizeDecoded(series: PlainSeries) {
  return {
    labels: series.labels as readonly (readonly string[])[],
    samples: series.samples.map(({ timestamp, bits }) => [timestamp, formatBits(bits)]),
    exemplars: series.exemplars.map(({ labels, bits, timestamp }) => ({
      labels: Object.fromEntries(labels),
      value: formatBits(bits),
      timestamp,
    })),
    histograms: series.histograms.map((histogram) =>
      Object.fromEntries(Object.entries(histogram).map(([key, value]) => [key, mapDoubles(value)])),
    ),
  };
}

/** The same form of a series of the vectors. */
export function normalizeExpected(series: ExpectedSeries) {
  return {
    labels: (series.label_list ?? Object.entries(series.labels)) as readonly (readonly string[])[],
    samples: series.samples.map(([timestamp, value]) => [String(timestamp), parseValue(value)]),
    exemplars: (series.exemplars ?? []).map(({ labels, value, timestamp }) => ({
      labels,
      value: parseValue(value),
      timestamp: String(timestamp),
    })),
    histograms: (series.histograms ?? []).map((histogram) => {
      const entries = Object.entries(histogram).map(([key, value]) => [key, expectedField(key, value)]);
      return Object.fromEntries(entries) as Record<string, unknown>;
    }),
  };
}

const DOUBLES = ['sum', 'zero_threshold', 'count_float', 'zero_count_float'];
const DOUBLE_LISTS = ['negative_counts', 'positive_counts', 'custom_values'];

function expectedField(key: string, value: unknown): unknown {
  if (DOUBLES.includes(key)) return parseValue(value as string);
  if (DOUBLE_LISTS.includes(key)) return (value as string[]).map(parseValue);
  return key === 'timestamp' ? String(value) : value;
}

function mapDoubles(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(mapDoubles);
  if (typeof value === 'object' && value !== null && 'bits' in value) return formatBits(value.bits as bigint);
  return value;
}

const STALE_NAN = 0x7ff0000000000002n;

/** A comparable form: a number, or the name of one of the two kinds of NaN. */
function formatBits(bits: bigint): number | string {
  if (bits === STALE_NAN) return 'StaleNaN';
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  const value = view.getFloat64(0);
  return Number.isNaN(value) ? 'NaN' : value + 0;
}

function parseValue(text: string): number | string {
  if (text === 'StaleNaN' || text === 'NaN') return text;
  return Number(text.replace('Inf', 'Infinity')) + 0;
}
