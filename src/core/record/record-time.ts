import { HEADER, type Headers } from './headers.ts';

/** The end of the year 9999 in ms since the epoch: beyond it are times in other units than ms. */
const LATEST_MS = Date.UTC(10_000, 0) - 1;

/**
 * Whether that may be the time of a Kafka record, in ms since the epoch. Kafka's protocol has -1 for none, which some
 * producers send, and 0 is what others have in a field that they never set.
 */
export function isRecordTime(ms: number): boolean {
  return Number.isSafeInteger(ms) && ms > 0 && ms <= LATEST_MS;
}

/**
 * The time of samples that carry none, in ms since the epoch: the record's own. A record that was redriven has kept its
 * first one. Where the record has none that can be, it is the time of receipt, `nowMs`.
 */
export function recordTime(
  { headers, timestamp }: { headers: Headers; timestamp: number },
  nowMs: () => number,
): number {
  const text = headers[HEADER.timestamp];
  const kept = text == null ? Number.NaN : Number(text.toString());
  if (isRecordTime(kept)) return kept;
  return isRecordTime(timestamp) ? timestamp : nowMs();
}
