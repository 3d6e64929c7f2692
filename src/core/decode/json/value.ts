import { isUtf8 } from 'node:buffer';
import { PoisonError } from '../../model/errors.ts';
import { escapeInvalid } from '../../model/invalid-utf8.ts';
import type { ByteRanges } from '../byte-ranges.ts';
import type { RecordBudget } from '../record-budget.ts';
import { skipMarks } from '../text/byte-order-mark.ts';
import { skipJsonBlanks, skipValue } from './scan.ts';
import { JsonTraits } from './traits.ts';

/** Most memory that the values of one JSON text may take as objects, by estimate; real records need far less. */
const MOST_MEMORY = 192 * 1024 * 1024;
/** Most different member names; real records have some dozens, or as many as there are label names. */
const MOST_KEYS = 65_536;
const QUOTE = 0x22;
const MINUS = 0x2d;
const PLUS = 0x2b;
const LETTER_I = 0x69;
const LETTER_N = 0x6e;
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

const NAN = Buffer.from('"NaN"');
const POSITIVE = Buffer.from('"Infinity"');
const NEGATIVE = Buffer.from('"-Infinity"');
/** Beyond this length native copying is faster. */
const NATIVE_BYTES = 64;
/** Bytes scanned or parsed per unit of a record's budget. */
const BYTES_A_UNIT = 64;
/** Most bytes that a replacement adds: the longest of those, less the shortest word. */
const MOST_GROWTH = 8;

/**
 * Parses the value in `[start, end)`, whose traits `skipValue` has collected; undefined if it is not JSON.
 *
 * No digit is lost: a number that a double does not hold as written (`9007199254740993`) becomes text, and so do NaN
 * and infinities without quotes, which are not JSON but common. All readers of numbers accept text. Bytes that are not
 * UTF-8 become halves of surrogate pairs (see `escapeInvalid`).
 *
 * @throws PoisonError `too_many_values`
 */
export function jsonValue(bytes: Buffer, start: number, end: number, traits: JsonTraits): unknown {
  limitMemory(traits);
  const { special } = traits;
  if (special.count === 0) return parse(bytes.subarray(start, end));
  return parse(
    rewrite(bytes, start, end, special, (into, at, from, to) => {
      if (isWord(bytes, from)) return copy(wordOf(bytes, from), 0, wordOf(bytes, from).length, into, at);
      // Not a number: it stays, for the parser to refuse.
      if (!JSON_NUMBER.test(bytes.toString('latin1', from, to))) return copy(bytes, from, to, into, at);
      into[at] = QUOTE;
      const stop = copy(bytes, from, to, into, at + 1);
      into[stop] = QUOTE;
      return stop + 1;
    }),
  );
}

export interface WholeJsonOptions {
  readonly budget?: RecordBudget | undefined;
  /** Numbers that JavaScript would write differently become text too. */
  readonly isVerbatim?: boolean;
}

/**
 * Parses the one value that fills `body` from `start` on, apart from blanks and byte order marks.
 *
 * @throws PoisonError `json`, `too_many_values`, and those of the budget
 */
export function wholeJson(
  body: Buffer,
  start: number,
  traits = new JsonTraits(),
  { budget, isVerbatim = false }: WholeJsonOptions = {},
): unknown {
  traits.clear();
  traits.isVerbatim = isVerbatim;
  const from = skipJsonBlanks(body, skipMarks(body, start, body.length), body.length);
  const to = skipValue(body, from, body.length, traits);
  const isWhole = to >= 0 && skipJsonBlanks(body, to, body.length) === body.length;
  budget?.spend(body.length / BYTES_A_UNIT);
  const value = isWhole ? jsonValue(body, from, to, traits) : undefined;
  if (value === undefined) throw notJson(body, from);
  // Charged again: the parser takes its time without a look at the clock.
  budget?.spend(body.length / BYTES_A_UNIT);
  return value;
}

function limitMemory({ memory, differentKeys }: JsonTraits): void {
  if (differentKeys > MOST_KEYS) {
    throw new PoisonError(
      'decode',
      'too_many_values',
      `the JSON has more than ${MOST_KEYS} different names of members: send smaller records`,
    );
  }
  if (memory <= MOST_MEMORY) return;
  throw new PoisonError(
    'decode',
    'too_many_values',
    'the JSON has so many arrays, objects and members that reading it would take more than ' +
      `${MOST_MEMORY / 1024 / 1024} MiB of memory: send smaller records`,
  );
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(isUtf8(bytes) ? bytes.toString() : escapeInvalid(bytes));
  } catch {
    return undefined;
  }
}

/** The error for text that is not JSON, in the words of the platform's parser if it finds a fault too. */
function notJson(body: Buffer, start: number): PoisonError {
  const utf16 = body.length > 1 && (body.readUInt16LE(0) === 0xfeff || body.readUInt16BE(0) === 0xfeff);
  let what = utf16
    ? 'it is UTF-16, and JSON is UTF-8 (RFC 8259, 8.1)'
    : 'it is cut off, or more than one value';
  if (!utf16 && body.length - start < EXPLAINED_BYTES) {
    try {
      JSON.parse(escapeInvalid(body.subarray(start)));
    } catch (error) {
      what = (error as Error).message.replace(/\p{Cs}/gu, escapeHalf);
    }
  }
  return new PoisonError('decode', 'json', `the record is not JSON: ${what}`);
}

/** Half of a surrogate pair as a JSON escape: the half itself would become U+FFFD in a message written as UTF-8. */
function escapeHalf(half: string): string {
  return `\\u${half.charCodeAt(0).toString(16)}`;
}

/** Larger texts are not parsed again just for a message. */
const EXPLAINED_BYTES = 64 * 1024;

/** Copies `[start, end)`, with each range replaced by what `write` writes; it returns the end of that. */
function rewrite(
  bytes: Buffer,
  start: number,
  end: number,
  ranges: ByteRanges,
  write: (into: Buffer, at: number, from: number, to: number) => number,
): Buffer {
  const into = Buffer.allocUnsafe(end - start + ranges.count * MOST_GROWTH);
  let copied = start;
  let at = 0;
  for (let i = 0; i < ranges.count; i++) {
    const from = ranges.start(i);
    at = copy(bytes, copied, from, into, at);
    copied = ranges.end(i);
    at = write(into, at, from, copied);
  }
  at = copy(bytes, copied, end, into, at);
  return into.subarray(0, at);
}

/** Copies a range, mostly too short for a native call to pay off; returns the end of the copy. */
function copy(bytes: Buffer, start: number, end: number, into: Buffer, at: number): number {
  if (end - start > NATIVE_BYTES) return at + bytes.copy(into, at, start, end);
  let to = at;
  for (let i = start; i < end; i++) into[to++] = bytes[i]!;
  return to;
}

/** Whether there is a word, `nan` or `inf…` in any case, and not digits. */
function isWord(bytes: Buffer, at: number): boolean {
  return letterAt(bytes, at) === LETTER_N || letterAt(bytes, at) === LETTER_I;
}

function wordOf(bytes: Buffer, at: number): Buffer {
  if (letterAt(bytes, at) === LETTER_N) return NAN;
  return bytes[at] === MINUS ? NEGATIVE : POSITIVE;
}

/** The first byte after a sign, if there is one; letters in lower case. */
function letterAt(bytes: Buffer, at: number): number {
  const first = bytes[at]!;
  return (first === MINUS || first === PLUS ? bytes[at + 1]! : first) | 0x20;
}
