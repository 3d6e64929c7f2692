import { ByteRanges } from '../byte-ranges.ts';

/** Digits that a double holds exactly. */
const EXACT_DIGITS = 15;
/** Up to this length and this exponent, positive or negative, such a number is far from the limits of doubles. */
const EXACT_BYTES = 145;
const EXACT_EXPONENT = 145;
const LETTER_E = 0x65;
const DOT = 0x2e;
/** Zeros after the decimal point from which on JavaScript writes an exponent. */
const TINY_ZEROS = 6;
const ZERO = 0x30;

/** Rough sizes of the objects that `JSON.parse` makes, in bytes, without the texts themselves. */
const CONTAINER_BYTES = 40;
/** Extra for an empty container: an object has room for members, and either is far larger than its text. */
const EMPTY_BYTES = 40;
const MEMBER_BYTES = 16;
/** Extra per member of a large object: the parser first collects them all. */
const MEMBER_OF_MANY_BYTES = 64;
const MANY_MEMBERS = 1000;
/** Text that replaces a number or a word. */
const SPECIAL_BYTES = 48;
/** Keys up to this number are not told apart: so few cost little. */
const FREE_KEYS = 10_000;
/** Bits that keys are hashed to, to estimate how many different ones there are. */
const HASHES = 2 ** 18;

/** Facts about a JSON text, collected by the walk over it (`skipValue`). One instance is cleared and reused. */
export class JsonTraits {
  /** Estimated memory of its values as objects, in bytes. */
  memory = 0;
  /** Estimated number of different keys after the first ten thousand: each costs the parser some microseconds. */
  differentKeys = 0;
  /** There is a key with an underscore. */
  hasUnderscores = false;
  /** Some numbers are not written as JavaScript would write them: `1.10`, `1e5`. As labels they are kept as text. */
  hasOddNumbers = false;
  /** Whether `special` includes those too. Set by the caller; `clear` keeps it. */
  isVerbatim = false;
  /** Ranges of numbers that a double does not hold as written, NaN and infinities without quotes included. */
  readonly special = new ByteRanges();
  #keys = 0;
  /** Keys since the last bracket was opened. */
  #run = 0;
  readonly #hashes = new Uint8Array(HASHES / 8);

  clear(): void {
    this.memory = 0;
    this.differentKeys = 0;
    this.hasUnderscores = false;
    this.hasOddNumbers = false;
    this.special.clear();
    if (this.#keys > FREE_KEYS) this.#hashes.fill(0);
    this.#keys = 0;
  }

  container(): void {
    this.memory += CONTAINER_BYTES;
    this.#run = 0;
  }

  /** The container just opened is empty. */
  empty(): void {
    this.memory += EMPTY_BYTES;
  }

  /** An element of an array, or a member of an object. */
  member(): void {
    this.memory += MEMBER_BYTES;
  }

  /** A key, by a hash of its bytes. */
  key(hash: number): void {
    this.memory += MEMBER_BYTES;
    if (++this.#run > MANY_MEMBERS) this.memory += MEMBER_OF_MANY_BYTES;
    if (++this.#keys > FREE_KEYS) this.#tellApart(hash);
  }

  #tellApart(hash: number): void {
    // Mixes the high bits into those that are used.
    const place = (hash ^ (hash >>> 15)) & (HASHES - 1);
    const bit = 1 << (place & 7);
    if ((this.#hashes[place >> 3]! & bit) !== 0) return;
    this.#hashes[place >> 3]! |= bit;
    this.differentKeys++;
  }

  /** A number without digits: NaN or an infinity. */
  notFinite(start: number, end: number): void {
    this.memory += SPECIAL_BYTES;
    this.special.add(start, end);
  }

  number(bytes: Uint8Array, start: number, end: number): void {
    const isOdd = isWrittenOddly(bytes, start, end);
    if (isOdd) this.hasOddNumbers = true;
    if (end - start <= EXACT_DIGITS && !isOdd) return;
    if (isExact(bytes, start, end) && !(isOdd && this.isVerbatim)) return;
    this.memory += SPECIAL_BYTES;
    this.special.add(start, end);
  }
}

/** Whether a number has an exponent or a fraction ending in 0, or is so small that JavaScript writes an exponent. */
function isWrittenOddly(bytes: Uint8Array, start: number, end: number): boolean {
  let point = -1;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if ((byte | 0x20) === LETTER_E) return true;
    if (byte === DOT) point = at;
  }
  if (point < 0) return false;
  if (bytes[end - 1] === ZERO) return true;
  if (bytes[point - 1] !== ZERO || end - point <= TINY_ZEROS) return false;
  for (let at = point + 1; at <= point + TINY_ZEROS; at++) if (bytes[at] !== ZERO) return false;
  return true;
}

/**
 * Whether the digits of the number survive conversion to a double and back. Long whole numbers do not count as exact:
 * JavaScript writes 10^21 and more with an exponent.
 */
function isExact(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > EXACT_BYTES) return false;
  let digits = 0;
  /** Zeros since the last other digit: they count if another one follows. */
  let zeros = 0;
  let isWhole = true;
  let at = start;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if ((byte | 0x20) === LETTER_E) break;
    if (byte === DOT) isWhole = false;
    else if (byte === ZERO) zeros++;
    else if (byte > ZERO) {
      digits += digits > 0 ? zeros + 1 : 1;
      zeros = 0;
    }
  }
  if (digits > EXACT_DIGITS) return false;
  if (at === end) return !isWhole;
  let exponent = 0;
  for (at++; at < end; at++) if (bytes[at]! >= ZERO) exponent = exponent * 10 + bytes[at]! - ZERO;
  return exponent < EXACT_EXPONENT;
}
