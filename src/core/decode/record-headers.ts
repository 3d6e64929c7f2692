import type { RecordHeaders } from '../record/headers.ts';

/** A header as text, '' if it is missing. Names match in any case: Kafka preserves the case, HTTP ignores it. */
export function headerText(headers: RecordHeaders, lowerCaseName: string): string {
  const value = headers[lowerCaseName] ?? otherCase(headers, lowerCaseName);
  return value == null ? '' : value.toString().trim();
}

/** Records with more headers get an index: else each look-up, for each part set aside, would scan all of them. */
const FEW_HEADERS = 64;

/** For records with many headers: those with a capital letter in the name, by lower-case name; the first counts. */
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
