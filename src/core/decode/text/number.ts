/**
 * Numbers in text, read as VictoriaMetrics reads them: what github.com/valyala/fastjson/fastfloat accepts, with its
 * rounding, which for a mantissa with an exponent can be one bit off the nearest double (`1.7e-9`). All take the bytes
 * `[start, end)` and return undefined unless all of them form a number.
 */

const DOT = 0x2e;
const MINUS = 0x2d;
const PLUS = 0x2b;
const ZERO = 0x30;
const LETTER_E = 0x65;

/** Digits that a double holds exactly. */
const EXACT_DIGITS = 15;

/**
 * A float64: decimal, with an exponent, `inf`, `infinity` or `nan` in any case. Not hexadecimal, no underscores, and a
 * plus sign only before infinity. One difference from fastfloat: `-5.` is -5, where fastfloat loses the sign.
 */
export function parseFloat64(bytes: Buffer, start: number, end: number): number | undefined {
  if (start >= end) return undefined;
  let at = start;
  const negative = bytes[at] === MINUS;
  if (negative && ++at === end) return undefined;
  const first = at;
  let mantissa = 0;
  let digit = 0;
  while (at < end && (digit = bytes[at]! - ZERO) >= 0 && digit <= 9) {
    mantissa = mantissa * 10 + digit;
    at++;
  }
  if (at === end && at - first <= EXACT_DIGITS) return negative ? -mantissa : mantissa;
  const integerEnd = at;
  if (at === first && bytes[at] !== DOT) return parseWord(bytes, at, end, negative);
  if (at - start > 18) return parseDecimal(bytes, start, end);
  if (at - first > EXACT_DIGITS) mantissa = Number(text(bytes, first, at));
  let scale = 0;
  if (bytes[at] === DOT && at < end) {
    at++;
    while (at < end && (digit = bytes[at]! - ZERO) >= 0 && digit <= 9) {
      if (++at - first > EXACT_DIGITS + 1) return parseDecimal(bytes, start, end);
      mantissa = mantissa * 10 + digit;
    }
    scale = at - integerEnd - 1;
    if (scale === 0 && integerEnd === first) return undefined;
  }
  let value = mantissa / POWERS_OF_TEN[scale]!;
  if (at < end) {
    if ((bytes[at]! | 0x20) !== LETTER_E) return undefined;
    at++;
    const sign = bytes[at];
    if (at < end && (sign === MINUS || sign === PLUS)) at++;
    if (at === end) return undefined;
    let exponent = 0;
    for (; at < end; at++) {
      digit = bytes[at]! - ZERO;
      if (digit < 0 || digit > 9) return undefined;
      exponent = exponent * 10 + digit;
      if (exponent > 300) return parseDecimal(bytes, start, end);
    }
    value *= powerOfTen(sign === MINUS ? -exponent : exponent);
  }
  return negative ? -value : value;
}

/** As parseFloat64, but 0 for anything that is not a number, as VictoriaMetrics reads Influx fields. */
export function parseFloat64OrZero(bytes: Buffer, start: number, end: number): number {
  return parseFloat64(bytes, start, end) ?? 0;
}

/** A signed whole number of 64 bits; a bigint if a double would not hold it exactly. */
export function parseInt64(bytes: Buffer, start: number, end: number): number | bigint | undefined {
  const negative = bytes[start] === MINUS;
  const first = negative ? start + 1 : start;
  const value = parseDigits(bytes, first, end);
  if (value === undefined) return undefined;
  if (typeof value === 'number') return negative ? 0 - value : value;
  const signed = negative ? -value : value;
  return signed === BigInt.asIntN(64, signed) ? signed : undefined;
}

/** An unsigned whole number of 64 bits, as parseInt64. */
export function parseUint64(bytes: Buffer, start: number, end: number): number | bigint | undefined {
  const value = parseDigits(bytes, start, end);
  return typeof value !== 'bigint' || value === BigInt.asUintN(64, value) ? value : undefined;
}

function parseDigits(bytes: Buffer, start: number, end: number): number | bigint | undefined {
  if (start >= end) return undefined;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  if (value <= Number.MAX_SAFE_INTEGER) return value;
  // Too large for 64 bits in any case: no need to make a long bigint, which would take more than linear time.
  if (value > 1e20) return undefined;
  const exact = BigInt(text(bytes, start, end));
  return exact <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(exact) : exact;
}

/** Decimal text of any length, to the nearest double; `1e400` is infinite. */
function parseDecimal(bytes: Buffer, start: number, end: number): number | undefined {
  let at = skipDigits(bytes, bytes[start] === MINUS ? start + 1 : start, end);
  if (at < end && bytes[at] === DOT) at = skipDigits(bytes, at + 1, end);
  if (at < end && (bytes[at]! | 0x20) === LETTER_E) {
    at++;
    if (at < end && (bytes[at] === MINUS || bytes[at] === PLUS)) at++;
    const first = at;
    at = skipDigits(bytes, at, end);
    if (at === first) return undefined;
  }
  return at === end ? Number(text(bytes, start, end)) : undefined;
}

function skipDigits(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at]! >= ZERO && bytes[at]! <= ZERO + 9) at++;
  return at;
}

function parseWord(bytes: Buffer, start: number, end: number, negative: boolean): number | undefined {
  const from = bytes[start] === PLUS ? start + 1 : start;
  if (end - from !== 3 && end - from !== 8) return undefined;
  const word = text(bytes, from, end).toLowerCase();
  if (word === 'nan') return Number.NaN;
  if (word !== 'inf' && word !== 'infinity') return undefined;
  return negative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

function text(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('latin1', start, end);
}

const POWERS_OF_TEN = Array.from({ length: 32 }, (_, exponent) => Number(`1e${exponent}`));
const POWERS_OF_TEN_32 = Array.from({ length: 10 }, (_, exponent) => Number(`1e${exponent * 32}`));
const NEGATIVE_POWERS_OF_TEN_32 = Array.from({ length: 11 }, (_, exponent) => Number(`1e-${exponent * 32}`));

/** 10 to a whole power of at most ±300, bit for bit as Go's math.Pow10: product or quotient of two table entries. */
function powerOfTen(exponent: number): number {
  return exponent >= 0
    ? POWERS_OF_TEN_32[exponent >> 5]! * POWERS_OF_TEN[exponent & 31]!
    : NEGATIVE_POWERS_OF_TEN_32[-exponent >> 5]! / POWERS_OF_TEN[-exponent & 31]!;
}
