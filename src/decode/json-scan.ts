import { BACKSLASH, CLOSE_BRACE, COMMA, OPEN_BRACE, QUOTE, TAB } from './byte-text.ts';

/**
 * A walk over JSON as bytes, as lenient as VictoriaMetrics' fastjson: numbers may have leading zeros and a plus, `nan`
 * and `inf` are numbers, control characters may stand in strings, repeated keys are kept in their order. Positions
 * are offsets into the bytes; -1 says that there is no JSON value.
 */

const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;

/** Objects and arrays in one another. */
const MAX_DEPTH = 300;

export type JsonType = 'object' | 'array' | 'string' | 'number' | 'true' | 'false' | 'null';

/** What the value at `start` is, which `skipValue` has accepted. */
export function typeAt(bytes: Uint8Array, start: number): JsonType {
  switch (bytes[start]) {
    case OPEN_BRACE:
      return 'object';
    case OPEN_BRACKET:
      return 'array';
    case QUOTE:
      return 'string';
    case 0x74:
      return 'true';
    case 0x66:
      return 'false';
    case 0x6e:
      return bytes[start + 1] === 0x75 ? 'null' : 'number';
    default:
      return 'number';
  }
}

export function skipJsonBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte !== 0x20 && byte !== 0x0a && byte !== TAB && byte !== 0x0d) break;
    at++;
  }
  return at;
}

/** The end of the value that begins at `start`. */
export function skipValue(bytes: Buffer, start: number, end: number, depth = 1): number {
  if (start >= end || depth > MAX_DEPTH) return -1;
  switch (bytes[start]) {
    case OPEN_BRACE:
      return skipMembers(bytes, start + 1, end, depth, CLOSE_BRACE);
    case OPEN_BRACKET:
      return skipMembers(bytes, start + 1, end, depth, CLOSE_BRACKET);
    case QUOTE: {
      const quote = stringEnd(bytes, start + 1, end);
      return quote < 0 ? -1 : quote + 1;
    }
    case 0x74:
      return skipWord(bytes, start, end, 'true');
    case 0x66:
      return skipWord(bytes, start, end, 'false');
    case 0x6e: {
      const at = skipWord(bytes, start, end, 'null');
      return at < 0 ? skipWord(bytes, start, end, 'nan') : at;
    }
    default:
      return skipNumber(bytes, start, end);
  }
}

/** The quote that ends a string whose first character is at `start`. */
export function stringEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at++;
  }
  return -1;
}

/** Members of an object or elements of an array, from behind the opening bracket. */
function skipMembers(bytes: Buffer, start: number, end: number, depth: number, close: number): number {
  let at = skipJsonBlanks(bytes, start, end);
  if (at < end && bytes[at] === close) return at + 1;
  for (;;) {
    if (close === CLOSE_BRACE) {
      at = skipKey(bytes, at, end);
      if (at < 0) return -1;
    }
    at = skipValue(bytes, at, end, depth + 1);
    if (at < 0) return -1;
    at = skipJsonBlanks(bytes, at, end);
    if (at >= end) return -1;
    if (bytes[at] === close) return at + 1;
    if (bytes[at] !== COMMA) return -1;
    at = skipJsonBlanks(bytes, at + 1, end);
  }
}

/** From the quote of a key to its value. */
function skipKey(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end || bytes[start] !== QUOTE) return -1;
  const quote = stringEnd(bytes, start + 1, end);
  return quote < 0 ? -1 : valueBehind(bytes, quote, end);
}

/** From the quote that ends a key to its value. */
function valueBehind(bytes: Uint8Array, quote: number, end: number): number {
  const colon = skipJsonBlanks(bytes, quote + 1, end);
  return colon < end && bytes[colon] === COLON ? skipJsonBlanks(bytes, colon + 1, end) : -1;
}

function skipNumber(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && isNumberByte(bytes[at]!)) at++;
  const signed = at === start + 1 && (bytes[start] === 0x2d || bytes[start] === 0x2b);
  if (at > start && !(signed && at < end)) return at;
  const word = skipWord(bytes, at, end, 'inf');
  return word < 0 ? skipWord(bytes, at, end, 'nan') : word;
}

/** Digits, dot, signs and the letter of the exponent; which order of them is a number is seen when it is read. */
function isNumberByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2e ||
    byte === 0x2d ||
    byte === 0x2b ||
    (byte | 0x20) === 0x65
  );
}

function skipWord(bytes: Buffer, start: number, end: number, word: string): number {
  const stop = start + word.length;
  if (stop > end) return -1;
  const found = bytes.toString('latin1', start, stop);
  // Only nan and inf may be written in other cases.
  return found === word || (word.length === 3 && found.toLowerCase() === word) ? stop : -1;
}

/**
 * Walks the object at `start` and returns its end, or -1 where it is malformed. Calls `visit` with the start and end of
 * each key's text, without its quotes, and of its value; before a fault is found also for what stands before it.
 */
export function visitMembers(
  bytes: Buffer,
  start: number,
  end: number,
  visit: (keyStart: number, keyEnd: number, valueStart: number, valueEnd: number) => void,
): number {
  let at = skipJsonBlanks(bytes, start + 1, end);
  if (at < end && bytes[at] === CLOSE_BRACE) return at + 1;
  for (;;) {
    if (at >= end || bytes[at] !== QUOTE) return -1;
    const keyEnd = stringEnd(bytes, at + 1, end);
    if (keyEnd < 0) return -1;
    const valueStart = valueBehind(bytes, keyEnd, end);
    if (valueStart < 0) return -1;
    const valueEnd = skipValue(bytes, valueStart, end);
    if (valueEnd < 0) return -1;
    visit(at + 1, keyEnd, valueStart, valueEnd);
    at = skipJsonBlanks(bytes, valueEnd, end);
    if (at < end && bytes[at] === CLOSE_BRACE) return at + 1;
    if (at >= end || bytes[at] !== COMMA) return -1;
    at = skipJsonBlanks(bytes, at + 1, end);
  }
}

/** As visitMembers, for the elements of the array at `start`. */
export function visitElements(
  bytes: Buffer,
  start: number,
  end: number,
  visit: (start: number, end: number) => void,
): number {
  let at = skipJsonBlanks(bytes, start + 1, end);
  if (at < end && bytes[at] === CLOSE_BRACKET) return at + 1;
  for (;;) {
    const valueEnd = skipValue(bytes, at, end);
    if (valueEnd < 0) return -1;
    visit(at, valueEnd);
    at = skipJsonBlanks(bytes, valueEnd, end);
    if (at < end && bytes[at] === CLOSE_BRACKET) return at + 1;
    if (at >= end || bytes[at] !== COMMA) return -1;
    at = skipJsonBlanks(bytes, at + 1, end);
  }
}
