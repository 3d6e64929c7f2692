import { BACKSLASH, type Scratch } from './byte-text.ts';

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
 * Puts the text of a JSON string without its escapes into `into`, and says whether it has any: if not, `into` is left
 * as it was. What is no escape stays as it is, half of a surrogate pair too.
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

/** `\u0041`, or two of them that are a surrogate pair. Returns what follows. */
function unescapeUnicode(into: Scratch, bytes: Buffer, at: number, end: number): number {
  const first = hex4(bytes, at + 2, end);
  let text: string | undefined;
  let next = at + 6;
  if (first >= 0 && (first < 0xd800 || first > 0xdfff)) text = String.fromCharCode(first);
  else if (first >= 0 && bytes[next] === BACKSLASH && bytes[next + 1] === LETTER_U) {
    const second = hex4(bytes, next + 2, end);
    if (second >= 0) {
      const isPair = first < 0xdc00 && second >= 0xdc00 && second <= 0xdfff;
      text = isPair ? String.fromCharCode(first, second) : '\ufffd';
      next += 6;
    }
  }
  if (text === undefined) {
    next = first < 0 ? at + 2 : at + 6;
    into.append(bytes, at, next);
  } else {
    const utf8 = Buffer.from(text);
    into.append(utf8, 0, utf8.length);
  }
  return next;
}

function hex4(bytes: Buffer, start: number, end: number): number {
  if (start + 4 > end) return -1;
  const text = bytes.toString('latin1', start, start + 4);
  return /^[0-9a-fA-F]{4}$/.test(text) ? Number.parseInt(text, 16) : -1;
}
