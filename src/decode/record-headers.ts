import { isRecordTime } from '../model/record-time.ts';
import type { RecordHeaders } from './decoder.ts';

/** Record header that holds the time of samples that carry none, in ms since the epoch, instead of the record's own. */
export const TIMESTAMP_HEADER = 'penstock-timestamp';

/**
 * The time of samples that carry none, in ms since the epoch: the record's own. A record that was redriven has kept its
 * first one. Where the record has none that can be, it is the time of receipt, `nowMs`.
 */
export function recordTime(
  { headers, timestamp }: { headers: RecordHeaders; timestamp: number },
  nowMs: () => number,
): number {
  const text = headers[TIMESTAMP_HEADER];
  const kept = text == null ? Number.NaN : Number(text.toString());
  if (isRecordTime(kept)) return kept;
  return isRecordTime(timestamp) ? timestamp : nowMs();
}

/** A header as text, '' where it is missing. Kafka keeps the case of names, HTTP's names have none: both are found. */
export function headerText(headers: RecordHeaders, lowerCaseName: string): string {
  const value = headers[lowerCaseName] ?? otherCase(headers, lowerCaseName);
  return value == null ? '' : value.toString().trim();
}

function otherCase(headers: RecordHeaders, lowerCaseName: string): RecordHeaders[string] {
  for (const name in headers) {
    if (name.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName) return headers[name];
  }
  return undefined;
}
