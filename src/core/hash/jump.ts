/**
 * Jump consistent hash of a uint64 key, given as high and low word, into `buckets` buckets (at least 1).
 * When `buckets` grows from a to b, the share (b - a) / b of the keys moves, all of it into new buckets.
 * Source: J. Lamping, E. Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm" (2014), figure 1.
 */
export function jump(keyHigh: number, keyLow: number, buckets: number): number {
  let high = keyHigh | 0;
  let low = keyLow | 0;
  let bucket = -1;
  for (let next = 0; next < buckets; ) {
    bucket = next;
    // key = key * 2862933555777941757 + 1. The 1 carries when it makes the low word 0.
    const nextHigh = (multiplyHigh(low) + Math.imul(high, FACTOR_LOW) + Math.imul(low, FACTOR_HIGH)) | 0;
    low = (Math.imul(low, FACTOR_LOW) + 1) | 0;
    high = (nextHigh + (low === 0 ? 1 : 0)) | 0;
    next = Math.floor((bucket + 1) * (0x8000_0000 / ((high >>> 1) + 1)));
  }
  return bucket;
}

/** A uint64, given as two words, modulo `divisor` (1 … 2^37). */
export function modulo(high: number, low: number, divisor: number): number {
  // Sixteen bits at a time keeps every intermediate below 2^53.
  const upper = (((high >>> 0) % divisor) * 0x1_0000 + (low >>> 16)) % divisor;
  return (upper * 0x1_0000 + (low & 0xffff)) % divisor;
}

/** 2862933555777941757, the multiplier of the paper's generator. */
const FACTOR_HIGH = 0x27bb2ee6;
const FACTOR_LOW = 0x87b0b0fd | 0;

/** The high word of the unsigned product `low * FACTOR_LOW`. */
function multiplyHigh(low: number): number {
  const a0 = low & 0xffff;
  const a1 = low >>> 16;
  const b0 = FACTOR_LOW & 0xffff;
  const b1 = FACTOR_LOW >>> 16;
  const middle = (Math.imul(a1, b0) + (Math.imul(a0, b0) >>> 16)) | 0;
  const other = (Math.imul(a0, b1) + (middle & 0xffff)) | 0;
  return (Math.imul(a1, b1) + (middle >>> 16) + (other >>> 16)) | 0;
}
