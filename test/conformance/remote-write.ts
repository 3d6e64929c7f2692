import { isDeepStrictEqual } from 'node:util';
import { DEFAULT_LIMITS } from '../../src/decode/decoder.ts';
import { DecoderRegistry } from '../../src/decode/registry.ts';
import { errorMessage } from '../../src/model/errors.ts';
import { Pipeline, type PipelineRoute } from '../../src/pipeline.ts';
import { decodeWriteRequest, type PlainRequest, type PlainSeries } from '../support/prompb.ts';

interface ExpectedSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly label_list?: readonly [string, string][];
  readonly samples: readonly [number | string, string][];
  readonly exemplars?: readonly {
    labels: Record<string, string>;
    value: string;
    timestamp: number | string;
  }[];
  readonly histograms?: readonly Record<string, unknown>[];
}

interface RemoteWriteV1Case {
  readonly payload_base64: string;
  readonly expected:
    | { readonly error: string }
    | { readonly series: readonly ExpectedSeries[]; readonly metadata?: readonly Record<string, unknown>[] };
}

/** Series that Penstock sets aside although their bytes can be decoded. */
const REFUSED = ['duplicate_label', 'no_labels', 'empty_label_name'];

const everything: PipelineRoute = {
  name: 'all',
  index: 0,
  topic: 'tasks',
  selectors: [],
  relabeler: { apply: (labels) => labels },
  hasRules: false,
  task: () => 0,
  taskLabel: 'stream_task_id',
  count: 1,
};

/**
 * Runs one case of ingest-remote-write-v1.json: the body goes through the decoder and the whole pipeline.
 * Headers are left out, as the `expected` of these vectors leaves them out.
 * Returns what differs, or undefined where nothing does.
 */
export function runRemoteWriteV1Case(testCase: unknown): string | undefined {
  const { payload_base64, expected } = testCase as RemoteWriteV1Case;
  const value = Buffer.from(payload_base64, 'base64');
  const pipeline = new Pipeline({ routes: [everything], cacheBytes: 0, maxRecordBytes: () => 1_000_000 });
  const step = pipeline.begin();
  step.process({ value, headers: {}, timestamp: 0, topic: 'raw', partition: 0, offset: 0n });
  const { records, dead, counts } = step.flush();

  if ('error' in expected) {
    return dead.length > 0 ? undefined : `accepted; expected an error: ${expected.error}`;
  }
  const fault = dead.find(({ reason }) => !REFUSED.includes(reason));
  if (fault) return `refused with ${fault.reason}: ${fault.message}`;

  let decoded: PlainRequest;
  try {
    const context = { headers: {}, timestamp: 0, limits: DEFAULT_LIMITS };
    decoded = decodeWriteRequest(new DecoderRegistry('remote_write_v1').decode(value, context).body);
  } catch (error) {
    return `the decoder's result cannot be read: ${errorMessage(error)}`;
  }
  const wanted = expected.series.map(normalizeExpected);
  const got = decoded.series.map(normalizeDecoded);
  if (!isDeepStrictEqual(got, wanted)) return difference('decoded', got, wanted);
  if (counts.metadata !== (expected.metadata?.length ?? 0)) return `${counts.metadata} metadata counted`;

  // What the pipeline sends on: the same series, but for those set aside, with the task label added.
  const sent = records.flatMap((record) => {
    const body = new DecoderRegistry().decode(record.value, {
      headers: {},
      timestamp: 0,
      limits: DEFAULT_LIMITS,
    }).body;
    return decodeWriteRequest(body).series.map(normalizeDecoded);
  });
  const usable = wanted.filter(isUsable).map((series) => ({
    ...series,
    labels: [...series.labels, ['stream_task_id', '0']].sort(byName),
  }));
  const sorted = sent.map((series) => ({ ...series, labels: [...series.labels].sort(byName) }));
  return isDeepStrictEqual(sorted, usable) ? undefined : difference('sent on', sorted, usable);
}

function isUsable({ labels }: { labels: readonly (readonly string[])[] }): boolean {
  const names = labels.map(([name]) => name);
  return names.length > 0 && !names.includes('') && new Set(names).size === names.length;
}

function byName([a = '']: readonly string[], [b = '']: readonly string[]): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function normalizeDecoded(series: PlainSeries) {
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

function normalizeExpected(series: ExpectedSeries) {
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

function difference(what: string, got: unknown, wanted: unknown): string {
  return `${what} ${JSON.stringify(got)}; expected ${JSON.stringify(wanted)}`;
}
