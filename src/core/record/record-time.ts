import { HEADER, type RecordHeaders } from './headers.ts';

/** End of the year 9999 in ms since the epoch: larger numbers are times in another unit. */
const LATEST_MS = Date.UTC(10_000, 0) - 1;

/**
 * Whether `ms` since the epoch can be the time of a Kafka record. Some producers send -1, Kafka's value for none, and
 * some 0, a field that they never set.
 */
export function isRecordTime(ms: number): boolean {
  return Number.isSafeInteger(ms) && ms > 0 && ms <= LATEST_MS;
}

/**
 * Time for samples that carry none, in ms since the epoch: the record's own; for a redriven record the original one,
 * kept in a header. If neither is valid, the time of receipt, `nowMs`.
 */
export function recordTime(
  { headers, timestamp }: { headers: RecordHeaders; timestamp: number },
  nowMs: () => number,
): number {
  const text = headers[HEADER.timestamp];
  const kept = text == null ? Number.NaN : Number(text.toString());
  if (isRecordTime(kept)) return kept;
  return isRecordTime(timestamp) ? timestamp : nowMs();
}
