import { BACKSLASH, type Scratch } from '../text/byte-text.ts';

const SIMPLE: Readonly<Record<number, number>> = {
  34: 0x22, // \"
  92: 0x5c, // \\
  47: 0x2f, // \/
  98: 0x08, // \b
  102: 0x0c, // \f
  110: 0x0a, // \n
  114: 0x0d, // \r
  116: 0x09, // \t
};
const LETTER_U = 0x75;

/**
 * Writes the text of a JSON string, unescaped, to `into`. Returns whether it has a backslash; if not, `into` is
 * unchanged. Invalid escapes are kept; half of a surrogate pair becomes bytes that are not UTF-8.
 */
export function unescapeJson(into: Scratch, bytes: Buffer, start: number, end: number): boolean {
  let firstEscape = start;
  while (firstEscape < end && bytes[firstEscape] !== BACKSLASH) firstEscape++;
  if (firstEscape === end) return false;
  into.clear();
  into.append(bytes, start, firstEscape);
  let at = firstEscape;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte !== BACKSLASH || at + 1 >= end) {
      into.push(byte);
      at++;
      continue;
    }
    const letter = bytes[at + 1]!;
    if (letter === LETTER_U) {
      at = unescapeUnicode(into, bytes, at, end);
      continue;
    }
    const plain = SIMPLE[letter];
    if (plain === undefined) into.append(bytes, at, at + 2);
    else into.push(plain);
    at += 2;
  }
  return true;
}

/** Unescapes `\u0041`, or two of them that form a surrogate pair. Returns the position after it. */
function unescapeUnicode(into: Scratch, bytes: Buffer, at: number, end: number): number {
  const first = hex4(bytes, at + 2, end);
  if (first < 0) {
    into.append(bytes, at, at + 2);
    return at + 2;
  }
  const next = at + 6;
  if (first < 0xd800 || first > 0xdbff || bytes[next] !== BACKSLASH || bytes[next + 1] !== LETTER_U) {
    pushUtf8(into, first);
    return next;
  }
  const second = hex4(bytes, next + 2, end);
  if (second < 0xdc00 || second > 0xdfff) {
    pushUtf8(into, first);
    return next;
  }
  pushUtf8(into, 0x10000 + ((first - 0xd800) << 10) + second - 0xdc00);
  return next + 6;
}

/** Half of a surrogate pair becomes bytes that are not UTF-8, so that its series is set aside. */
function pushUtf8(into: Scratch, point: number): void {
  if (point < 0x80) into.push(point);
  else if (point < 0x800) {
    into.push(0xc0 | (point >> 6));
    into.push(0x80 | (point & 0x3f));
  } else {
    if (point < 0x10000) into.push(0xe0 | (point >> 12));
    else {
      into.push(0xf0 | (point >> 18));
      into.push(0x80 | ((point >> 12) & 0x3f));
    }
    into.push(0x80 | ((point >> 6) & 0x3f));
    into.push(0x80 | (point & 0x3f));
  }
}

/** The value of four hexadecimal digits; -1 if they are not. */
function hex4(bytes: Buffer, start: number, end: number): number {
  if (start + 4 > end) return -1;
  let value = 0;
  for (let at = start; at < start + 4; at++) {
    const byte = bytes[at]!;
    const letter = byte | 0x20;
    if (byte >= 0x30 && byte <= 0x39) value = value * 16 + byte - 0x30;
    else if (letter >= 0x61 && letter <= 0x66) value = value * 16 + letter - 0x57;
    else return -1;
  }
  return value;
}
