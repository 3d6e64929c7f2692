import { BACKSLASH, CLOSE_BRACE, COMMA, OPEN_BRACE, QUOTE, TAB } from '../text/byte-text.ts';
import type { JsonTraits } from './traits.ts';

/**
 * A walk over JSON as bytes, as lenient as VictoriaMetrics' fastjson: numbers may have leading zeros and a plus, `nan`,
 * `inf` and `infinity` are numbers, control characters may stand in strings, repeated keys are kept in their order.
 * Positions are offsets into the bytes; -1 means that there is no JSON value. If traits are given, the walk collects in
 * them what must be known before `JSON.parse` may read the value.
 */

const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;
const UNDERSCORE = 0x5f;

/** Deepest nesting of objects and arrays, as in fastjson. */
const MAX_DEPTH = 300;

export type JsonType = 'object' | 'array' | 'string' | 'number' | 'true' | 'false' | 'null';

/** The type of the value at `start`, which `skipValue` has accepted. */
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

/** The closing bytes of the brackets still open, innermost last. */
let open = new Uint8Array(1024);

/** The end of the value that begins at `start`. With traits its depth is not limited. */
export function skipValue(bytes: Buffer, start: number, end: number, traits?: JsonTraits): number {
  const maxDepth = traits === undefined ? MAX_DEPTH : Number.POSITIVE_INFINITY;
  let depth = 0;
  let at = start;
  for (;;) {
    const byte = at < end ? bytes[at]! : 0;
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (depth === maxDepth) return -1;
      const close = byte === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET;
      if (traits !== undefined) traits.container();
      at = skipJsonBlanks(bytes, at + 1, end);
      if (at < end && bytes[at] === close) {
        if (traits !== undefined) traits.empty();
        at++;
      } else {
        if (depth === open.length) growOpen();
        open[depth++] = close;
        at = skipToMember(bytes, at, end, close, traits);
        if (at < 0) return -1;
        continue;
      }
    } else {
      at = skipScalar(bytes, at, end, traits);
      if (at < 0) return -1;
    }
    for (;;) {
      if (depth === 0) return at;
      at = skipJsonBlanks(bytes, at, end);
      if (at >= end) return -1;
      const close = open[depth - 1]!;
      if (bytes[at] !== close) {
        if (bytes[at] !== COMMA) return -1;
        at = skipToMember(bytes, skipJsonBlanks(bytes, at + 1, end), end, close, traits);
        if (at < 0) return -1;
        break;
      }
      at++;
      depth--;
    }
  }
}

function growOpen(): void {
  const grown = new Uint8Array(open.length * 2);
  grown.set(open);
  open = grown;
}

/** Skips the key of a member, up to its value; an element has no key. */
function skipToMember(
  bytes: Uint8Array,
  start: number,
  end: number,
  close: number,
  traits: JsonTraits | undefined,
): number {
  if (traits !== undefined) traits.member();
  return close === CLOSE_BRACE ? skipKey(bytes, start, end, traits) : start;
}

function skipScalar(bytes: Buffer, start: number, end: number, traits: JsonTraits | undefined): number {
  if (start >= end) return -1;
  switch (bytes[start]) {
    case QUOTE: {
      const quote = stringEnd(bytes, start + 1, end);
      return quote < 0 ? -1 : quote + 1;
    }
    case 0x74:
      return skipWord(bytes, start, end, TRUE);
    case 0x66:
      return skipWord(bytes, start, end, FALSE);
    case 0x6e: {
      const at = skipWord(bytes, start, end, NULL);
      return at < 0 ? skipNumber(bytes, start, end, traits) : at;
    }
    default:
      return skipNumber(bytes, start, end, traits);
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

/** Skips from the opening quote of a key to its value. */
function skipKey(bytes: Uint8Array, start: number, end: number, traits: JsonTraits | undefined): number {
  if (start >= end || bytes[start] !== QUOTE) return -1;
  if (traits === undefined) {
    const quote = stringEnd(bytes, start + 1, end);
    return quote < 0 ? -1 : valueBehind(bytes, quote, end);
  }
  // FNV-1a (isthe.com/chongo/tech/comp/fnv), on the way to the quote.
  let hash = 0x811c9dc5;
  for (let at = start + 1; at < end; at++) {
    let byte = bytes[at]!;
    if (byte === QUOTE) {
      traits.key(hash);
      return valueBehind(bytes, at, end);
    }
    if (byte === BACKSLASH) byte = bytes[++at]!;
    else if (byte === UNDERSCORE) traits.hasUnderscores = true;
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return -1;
}

/** Skips from the closing quote of a key to its value. */
function valueBehind(bytes: Uint8Array, quote: number, end: number): number {
  const colon = skipJsonBlanks(bytes, quote + 1, end);
  return colon < end && bytes[colon] === COLON ? skipJsonBlanks(bytes, colon + 1, end) : -1;
}

function skipNumber(bytes: Buffer, start: number, end: number, traits: JsonTraits | undefined): number {
  let at = start;
  while (at < end && isNumberByte(bytes[at]!)) at++;
  const signed = at === start + 1 && (bytes[start] === 0x2d || bytes[start] === 0x2b);
  if (at === start || (signed && at < end)) {
    at = skipNotFinite(bytes, at, end);
    if (at >= 0) traits?.notFinite(start, at);
    return at;
  }
  traits?.number(bytes, start, at);
  return at;
}

/** `nan`, `inf` or `infinity`, in any case: what Python, Go and JavaScript write where JSON has no number. */
function skipNotFinite(bytes: Uint8Array, start: number, end: number): number {
  const short = skipAnyCase(bytes, start, end, INF);
  if (short < 0) return skipAnyCase(bytes, start, end, NAN);
  const long = skipAnyCase(bytes, short, end, INITY);
  return long < 0 ? short : long;
}

/** Digits, dot, signs and the letter of the exponent. Whether they form a number is checked when it is read. */
function isNumberByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2e ||
    byte === 0x2d ||
    byte === 0x2b ||
    (byte | 0x20) === 0x65
  );
}

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');
const INF = Buffer.from('inf');
const INITY = Buffer.from('inity');
const NAN = Buffer.from('nan');

function skipWord(bytes: Uint8Array, start: number, end: number, word: Uint8Array): number {
  const stop = start + word.length;
  if (stop > end) return -1;
  for (let i = 0; i < word.length; i++) if (bytes[start + i] !== word[i]) return -1;
  return stop;
}

/** As skipWord, in any case. */
function skipAnyCase(bytes: Uint8Array, start: number, end: number, word: Uint8Array): number {
  const stop = start + word.length;
  if (stop > end) return -1;
  for (let i = 0; i < word.length; i++) if ((bytes[start + i]! | 0x20) !== word[i]) return -1;
  return stop;
}

/**
 * Walks the object at `start` and returns its end, or -1 if it is malformed. Calls `visit` with the start and end of
 * each key's text, without its quotes, and of its value; members before a fault are visited too.
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

/** As visitMembers, for the elements of the array at `start`. The traits are those of the current element. */
export function visitElements(
  bytes: Buffer,
  start: number,
  end: number,
  visit: (start: number, end: number) => void,
  traits?: JsonTraits,
): number {
  let at = skipJsonBlanks(bytes, start + 1, end);
  if (at < end && bytes[at] === CLOSE_BRACKET) return at + 1;
  for (;;) {
    traits?.clear();
    const valueEnd = skipValue(bytes, at, end, traits);
    if (valueEnd < 0) return -1;
    visit(at, valueEnd);
    at = skipJsonBlanks(bytes, valueEnd, end);
    if (at < end && bytes[at] === CLOSE_BRACKET) return at + 1;
    if (at >= end || bytes[at] !== COMMA) return -1;
    at = skipJsonBlanks(bytes, at + 1, end);
  }
}
