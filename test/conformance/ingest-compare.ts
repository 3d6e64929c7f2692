import { isDeepStrictEqual } from 'node:util';
import { decodeWriteRequest } from '../lab/truth/prompb.ts';
import { decodeByteSeries, withoutSeries } from './byte-series.ts';

/** Time of receipt that the runners give, in ms: `null` in the vectors. It is not a whole second. */
export const RECEIPT_MS = 1_600_000_000_789;

/** A series as the ingest vectors write it (their README has the details). */
export interface ExpectedIngestSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** Where names repeat: all pairs, in order. */
  readonly label_list?: readonly (readonly [string, string])[];
  /** Where a label is not valid UTF-8: its exact bytes. */
  readonly label_list_base64?: readonly (readonly [string, string])[];
  /** `[ms, value]`; `null` is the time of receipt. */
  readonly samples: readonly (readonly [number | string | null, string])[];
}

/** What an engine did with a body. */
export interface ExpectedIngest {
  readonly series?: readonly ExpectedIngestSeries[];
  /** Parts set aside while the rest was taken; absent is none. */
  readonly skipped_lines?: number;
  /** The engine refused the whole; series beside it were passed on before. */
  readonly error?: string;
}

export interface CompareOptions {
  /** What `null` stands for in this case, in ms: the time of receipt, truncated as the format has it. */
  readonly receiptMs?: number;
}

/**
 * Holds a decoder's result against what the engine did: series as a multiset of (labels, samples), the samples of a
 * series in order, and the number of parts set aside. Labels are compared as a multiset of pairs. Where the engine
 * refused the whole for one bad part, it is enough that something was set aside.
 * Returns what differs, or undefined.
 *
 * @param actualWriteRequest a remote write 1.0 WriteRequest, not compressed
 */
export function compareSeries(
  actualWriteRequest: Buffer,
  rejects: number,
  expected: ExpectedIngest,
  { receiptMs = RECEIPT_MS }: CompareOptions = {},
): string | undefined {
  const decoded = decodeByteSeries(actualWriteRequest);
  const empty = decoded.find((series) => series.labels.length === 0 || series.samples.length === 0);
  if (empty) return `a series without labels or samples: ${JSON.stringify(empty.labels)}`;
  if (expected.error !== undefined) {
    return rejects > 0 ? undefined : `accepted; expected an error: ${expected.error}`;
  }
  const got = decoded.map(({ labels, samples }) =>
    comparable(
      labels,
      samples.map(({ timestamp, bits }) => [timestamp, formatBits(bits)]),
    ),
  );
  const wanted = (expected.series ?? []).map((series) =>
    comparable(
      expectedLabels(series),
      series.samples.map(([timestamp, value]) => [String(timestamp ?? receiptMs), parseValue(value)]),
    ),
  );
  if (!isDeepStrictEqual(got.sort(), wanted.sort())) return difference(got, wanted);
  const skipped = expected.skipped_lines ?? 0;
  return rejects === skipped ? undefined : `${rejects} parts set aside; expected ${skipped}`;
}

/** Metadata of metric families as the ingest vectors write it. */
export interface ExpectedMetadata {
  readonly type: string;
  readonly metric: string;
  readonly help: string;
  readonly unit: string;
}

const METADATA_TYPES = 'unknown,counter,gauge,histogram,gauge histogram,summary,info,stateset'.split(',');

/** Holds the metadata in a WriteRequest against the engine's, in order. Returns what differs, or undefined. */
export function compareMetadata(
  actualWriteRequest: Buffer,
  expected: readonly ExpectedMetadata[] = [],
): string | undefined {
  const got = decodeWriteRequest(withoutSeries(actualWriteRequest)).metadata.map(
    ({ type, metric, help, unit }) => ({
      type: METADATA_TYPES[type],
      metric,
      help,
      unit,
    }),
  );
  const wanted = expected.map(({ type, metric, help, unit }) => ({ type, metric, help, unit }));
  if (isDeepStrictEqual(got, wanted)) return undefined;
  return `metadata ${JSON.stringify(got)}; expected ${JSON.stringify(wanted)}`;
}

/** Labels as Latin-1, a character a byte, so that text that is not UTF-8 is compared exactly. */
function expectedLabels(series: ExpectedIngestSeries): string[][] {
  const exact = series.label_list_base64;
  if (exact) return exact.map((pair) => pair.map((each) => Buffer.from(each, 'base64').toString('latin1')));
  const pairs = series.label_list ?? Object.entries(series.labels);
  return pairs.map((pair) => pair.map((each) => Buffer.from(each).toString('latin1')));
}

function comparable(labels: readonly (readonly string[])[], samples: readonly string[][]): string {
  const sorted = labels.map((pair) => JSON.stringify(pair)).sort();
  return JSON.stringify([sorted, samples]);
}

const STALE_NAN = 0x7ff0000000000002n;

/** A number as text, or the name of one of the two kinds of NaN. */
function formatBits(bits: bigint): string {
  if (bits === STALE_NAN) return 'StaleNaN';
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return String(view.getFloat64(0) + 0);
}

function parseValue(text: string): string {
  if (text === 'StaleNaN' || text === 'NaN') return text;
  return String(Number(text.replace('Inf', 'Infinity')) + 0);
}

function difference(got: readonly string[], wanted: readonly string[]): string {
  return `decoded\n${got.join('\n')}\nexpected\n${wanted.join('\n')}`;
}
