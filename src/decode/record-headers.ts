import type { RecordHeaders } from './decoder.ts';

/** Record header that holds the time of samples that carry none, in ms since the epoch, instead of the record's own. */
export const TIMESTAMP_HEADER = 'penstock-timestamp';

/** The time of samples that carry none, in ms since the epoch. A record that was redriven has kept its first one. */
export function recordTime({ headers, timestamp }: { headers: RecordHeaders; timestamp: number }): number {
  const text = headers[TIMESTAMP_HEADER];
  if (text == null) return timestamp;
  const time = Number(text.toString());
  return Number.isSafeInteger(time) && time > 0 ? time : timestamp;
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
