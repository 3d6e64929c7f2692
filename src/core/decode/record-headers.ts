import type { RecordHeaders } from './decoder.ts';

/** A header as text, '' where it is missing. Kafka keeps the case of names, HTTP's names have none: both are found. */
export function headerText(headers: RecordHeaders, lowerCaseName: string): string {
  const value = headers[lowerCaseName] ?? otherCase(headers, lowerCaseName);
  return value == null ? '' : value.toString().trim();
}

/** Records with more headers have an index of them: each look-up would go over all of them, for each part set aside. */
const FEW_HEADERS = 64;

/** Of records with many headers: what has a capital letter in its name, by that name in lower case; the first one counts. */
const indexes = new WeakMap<RecordHeaders, Map<string, RecordHeaders[string]>>();

function otherCase(headers: RecordHeaders, lowerCaseName: string): RecordHeaders[string] {
  const index = indexes.get(headers);
  if (index !== undefined) return index.get(lowerCaseName);
  let count = 0;
  for (const name in headers) {
    if (name.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName) return headers[name];
    count++;
  }
  if (count > FEW_HEADERS) indexes.set(headers, indexOf(headers));
  return undefined;
}

function indexOf(headers: RecordHeaders): Map<string, RecordHeaders[string]> {
  const index = new Map<string, RecordHeaders[string]>();
  for (const name in headers) {
    const lowerCase = name.toLowerCase();
    if (lowerCase !== name && !index.has(lowerCase)) index.set(lowerCase, headers[name]);
  }
  return index;
}
