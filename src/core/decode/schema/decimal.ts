/** A double has some 770 significant digits at most, and 309 before the point. */
const MAX_BYTES = 400;
const MAX_SCALE = 2000;

/**
 * The text of a decimal: an integer in two's complement, big-endian, and the number of its digits after the point.
 * Text, since a label keeps it exactly, and a sample's value is read from text too.
 *
 * Undefined if it is longer than any double: converting it to digits would cost more than its size justifies.
 */
export function decimalText(unscaled: Uint8Array, scale: number): string | undefined {
  if (unscaled.length > MAX_BYTES || Math.abs(scale) > MAX_SCALE) return undefined;
  if (unscaled.length === 0) return '0';
  const hex = Buffer.from(unscaled.buffer, unscaled.byteOffset, unscaled.length).toString('hex');
  const integer = BigInt.asIntN(unscaled.length * 8, BigInt(`0x${hex}`));
  const sign = integer < 0n ? '-' : '';
  const digits = String(integer < 0n ? -integer : integer);
  if (scale <= 0) return sign + digits + (integer === 0n ? '' : '0'.repeat(-scale));
  const padded = digits.padStart(scale + 1, '0');
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}
