/**
 * xxHash64 with seed 0, in 32-bit arithmetic: a BigInt per step would cost more than the hash.
 * Source: "xxHash fast digest algorithm", doc/xxhash_spec.md, section "XXH64 Algorithm Description".
 *
 * Every 64-bit quantity is two int32, high and low word. A function returns only one value, so the helpers
 * leave their result in `word`. Inputs are below 4 GiB.
 */

// The five primes of the specification, as high and low word.
const P1H = 0x9e3779b1 | 0;
const P1L = 0x85ebca87 | 0;
const P2H = 0xc2b2ae3d | 0;
const P2L = 0x27d4eb4f | 0;
const P3H = 0x165667b1 | 0;
const P3L = 0x9e3779f9 | 0;
const P4H = 0x85ebca77 | 0;
const P4L = 0xc2b2ae63 | 0;
const P5H = 0x27d4eb2f | 0;
const P5L = 0x165667c5 | 0;

/** Result of the last helper: high word, low word. */
const word = new Int32Array(2);
/** The four accumulators of the stripe loop, high and low word each. */
const lanes = new Int32Array(8);
const wide = new Uint32Array(2);

/**
 * xxHash64 of `bytes[start, end)`. The convenient form; hot paths take `xxh64Into`.
 */
export function xxh64(bytes: Uint8Array, start = 0, end = bytes.length): bigint {
  xxh64Into(bytes, start, end, wide);
  return (BigInt(wide[0]!) << 32n) | BigInt(wide[1]!);
}

/**
 * xxHash64 of `bytes[start, end)` without a BigInt: `out[0]` becomes the high word, `out[1]` the low one.
 */
export function xxh64Into(bytes: Uint8Array, start: number, end: number, out: Uint32Array): void {
  const length = end - start;
  let at = start;
  if (length >= 32) {
    at = stripes(bytes, start, end);
  } else {
    word[0] = P5H;
    word[1] = P5L;
  }
  let low = (word[1]! + length) | 0;
  let high = (word[0]! + carry(low, length)) | 0;

  for (; at + 8 <= end; at += 8) {
    round(0, 0, read32(bytes, at + 4), read32(bytes, at));
    rotateLeft(high ^ word[0]!, low ^ word[1]!, 27);
    multiply(word[0]!, word[1]!, P1H, P1L);
    low = (word[1]! + P4L) | 0;
    high = (word[0]! + P4H + carry(low, P4L)) | 0;
  }
  if (at + 4 <= end) {
    multiply(0, read32(bytes, at), P1H, P1L);
    rotateLeft(high ^ word[0]!, low ^ word[1]!, 23);
    multiply(word[0]!, word[1]!, P2H, P2L);
    low = (word[1]! + P3L) | 0;
    high = (word[0]! + P3H + carry(low, P3L)) | 0;
    at += 4;
  }
  for (; at < end; at++) {
    multiply(0, bytes[at]!, P5H, P5L);
    rotateLeft(high ^ word[0]!, low ^ word[1]!, 11);
    multiply(word[0]!, word[1]!, P1H, P1L);
    high = word[0]!;
    low = word[1]!;
  }

  // Avalanche: h ^= h >> 33, h *= P2, h ^= h >> 29, h *= P3, h ^= h >> 32.
  multiply(high, low ^ (high >>> 1), P2H, P2L);
  high = word[0]!;
  low = word[1]!;
  multiply(high ^ (high >>> 29), low ^ ((high << 3) | (low >>> 29)), P3H, P3L);
  out[0] = word[0]!;
  out[1] = word[1]! ^ word[0]!;
}

/** Consumes whole 32-byte stripes, leaves the merged accumulator in `word`, returns the offset after them. */
function stripes(bytes: Uint8Array, start: number, end: number): number {
  const after = end - ((end - start) & 31);
  let high = 0;
  let low = 0;
  for (let lane = 0; lane < 4; lane++) {
    accumulate(bytes, start + lane * 8, after, START_HIGH[lane]!, START_LOW[lane]!);
    lanes[lane * 2] = word[0]!;
    lanes[lane * 2 + 1] = word[1]!;
    rotateLeft(word[0]!, word[1]!, ROTATIONS[lane]!);
    low = (low + word[1]!) | 0;
    high = (high + word[0]! + carry(low, word[1]!)) | 0;
  }
  for (let lane = 0; lane < 8; lane += 2) {
    round(0, 0, lanes[lane]!, lanes[lane + 1]!);
    multiply(high ^ word[0]!, low ^ word[1]!, P1H, P1L);
    low = (word[1]! + P4L) | 0;
    high = (word[0]! + P4H + carry(low, P4L)) | 0;
  }
  word[0] = high;
  word[1] = low;
  return after;
}

/**
 * One lane: `round` over the 8 bytes at `start` of every stripe before `end`. The hot loop of long inputs, so it
 * is inlined on local variables.
 */
function accumulate(
  bytes: Uint8Array,
  start: number,
  end: number,
  startHigh: number,
  startLow: number,
): void {
  let high = startHigh;
  let low = startLow;
  for (let at = start; at < end; at += 32) {
    const inputLow = read32(bytes, at);
    const inputHigh = read32(bytes, at + 4);
    const addLow = Math.imul(inputLow, P2L);
    const addHigh = multiplyHigh(inputLow, P2L) + Math.imul(inputHigh, P2L) + Math.imul(inputLow, P2H);
    const sumLow = (low + addLow) | 0;
    const sumHigh = (high + addHigh + carry(sumLow, low)) | 0;
    const turnedHigh = (sumHigh << 31) | (sumLow >>> 1);
    const turnedLow = (sumLow << 31) | (sumHigh >>> 1);
    low = Math.imul(turnedLow, P1L);
    high = (multiplyHigh(turnedLow, P1L) + Math.imul(turnedHigh, P1L) + Math.imul(turnedLow, P1H)) | 0;
  }
  word[0] = high;
  word[1] = low;
}

// P1 + P2, P2, 0, -P1
const START_HIGH = new Int32Array([P1H + P2H + carry(P1L + P2L, P2L), P2H, 0, ~P1H]);
const START_LOW = new Int32Array([P1L + P2L, P2L, 0, -P1L]);
const ROTATIONS = new Int32Array([1, 7, 12, 18]);

/** `rotl(accumulator + input * P2, 31) * P1` */
function round(high: number, low: number, inputHigh: number, inputLow: number): void {
  multiply(inputHigh, inputLow, P2H, P2L);
  const sumLow = (low + word[1]!) | 0;
  const sumHigh = (high + word[0]! + carry(sumLow, low)) | 0;
  multiply((sumHigh << 31) | (sumLow >>> 1), (sumLow << 31) | (sumHigh >>> 1), P1H, P1L);
}

/** The low 64 bits of a product. */
function multiply(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  word[0] = (multiplyHigh(aLow, bLow) + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh)) | 0;
  word[1] = Math.imul(aLow, bLow);
}

/** The high word of the unsigned product of two low words. */
function multiplyHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const middle = (Math.imul(a1, b0) + (Math.imul(a0, b0) >>> 16)) | 0;
  const other = (Math.imul(a0, b1) + (middle & 0xffff)) | 0;
  return (Math.imul(a1, b1) + (middle >>> 16) + (other >>> 16)) | 0;
}

/** Rotation by 1 … 31 bits. */
function rotateLeft(high: number, low: number, bits: number): void {
  word[0] = (high << bits) | (low >>> (32 - bits));
  word[1] = (low << bits) | (high >>> (32 - bits));
}

/** 1 if a low word `sum`, of which `addend` was one term, has overflowed. */
function carry(sum: number, addend: number): number {
  return sum >>> 0 < addend >>> 0 ? 1 : 0;
}

/** Little-endian int32. */
function read32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
