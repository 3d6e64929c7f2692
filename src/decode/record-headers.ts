import type { RecordHeaders } from './decoder.ts';

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
