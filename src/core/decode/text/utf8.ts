/**
 * The one rule for text that is not UTF-8, in every encoding that is text or JSON: a metric name, label name or label
 * value with such bytes, or with half of a surrogate pair written as an escape (`\ud800`), sets its part of the record
 * aside. Nothing is replaced by U+FFFD, which would merge different series.
 */
export const INVALID_UTF8 = 'invalid_utf8';

/** The bytes of JSON that `JSON.stringify` made of such text, with the bytes that were not UTF-8 restored. */
export function restoreInvalid(json: string): Buffer {
  if (!json.includes('\\udc')) return Buffer.from(json);
  const parts: Buffer[] = [];
  let copied = 0;
  // A backslash that is escaped itself begins no escape.
  for (const match of json.matchAll(/\\\\|\\udc([89a-f][0-9a-f])/g)) {
    if (match[1] === undefined) continue;
    parts.push(Buffer.from(json.slice(copied, match.index)), Buffer.from(match[1], 'hex'));
    copied = match.index + match[0].length;
  }
  return Buffer.concat([...parts, Buffer.from(json.slice(copied))]);
}
