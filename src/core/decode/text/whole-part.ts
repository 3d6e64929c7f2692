const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?$/;
/** Most digits before the point: more than any 64-bit integer or time has. */
const MOST_DIGITS = 40;

/** A decimal number of any length and form (`1.7e18`), rounded down to a whole number. */
export interface WholePart {
  readonly floor: bigint;
  /** The number is whole. */
  readonly isExact: boolean;
}

/**
 * The number times 10 to the power of `shift`, by its digits: a double would be some 100 ns off for a time in ns.
 * Undefined if the text is not a decimal number, or has more than 40 digits before the point. Linear time.
 */
export function wholePart(text: string, shift = 0): WholePart | undefined {
  const [match, sign, whole = '', fraction = '', exponent = '0'] = DECIMAL.exec(text) ?? [];
  if (match === undefined || whole.length + fraction.length === 0) return undefined;
  const written = whole + fraction;
  const digits = written.replace(/^0+/, '');
  if (digits === '') return { floor: 0n, isExact: true };
  const point = digits.length - fraction.length + Number(exponent) + shift;
  if (point > MOST_DIGITS) return undefined;
  const kept = point <= 0 ? '0' : digits.slice(0, point).padEnd(point, '0');
  const isExact = point >= digits.length || /^0*$/.test(digits.slice(Math.max(0, point)));
  const size = BigInt(kept);
  if (sign !== '-') return { floor: size, isExact };
  return { floor: isExact ? -size : -size - 1n, isExact };
}
