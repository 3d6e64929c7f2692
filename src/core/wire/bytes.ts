/**
 * Comparing and copying short runs of bytes (a few hundred) at any alignment.
 *
 * Fast path, and why: for 314 bytes on Node 24, CPU ns a call (docs/internals/measurements.md has the table):
 * compare  45 by 64-bit words, 66 by 32-bit words, 144 `Buffer.compare` with ranges, 194 `subarray().equals()`;
 * copy     40 by 64-bit words, 68 by 32-bit words,  74 `Buffer.copy`, 88 `set(subarray())`, 441 byte by byte.
 * The native calls lose because they pay for crossing into C++ or for a view object each time. Words are moved
 * as BigInt64, which V8 keeps in a register; as Float64 a NaN might not keep its bits.
 * The plain twins, `Buffer.compare` and `Buffer.copy`, stand in test/unit/core/wire/bytes.test.ts.
 */

/** Larger working buffers are dropped after the series that needed them: a huge one must not hold memory for ever. */
export const KEPT_BYTES = 128 * 1024;

/** Whether `length` bytes of `a` from `i` equal those of `b` from `j`. The caller has checked the bounds. */
export function equalBytes(a: DataView, i: number, b: DataView, j: number, length: number): boolean {
  const end = i + length;
  for (const last = end - 8; i <= last; i += 8, j += 8) {
    if (a.getBigInt64(i, true) !== b.getBigInt64(j, true)) return false;
  }
  if (i === end) return true;
  // Fewer than 8 bytes are left: compare the last 8 bytes again if there are so many, else byte by byte.
  if (length >= 8) {
    const back = 8 - (end - i);
    return a.getBigInt64(i - back, true) === b.getBigInt64(j - back, true);
  }
  for (; i < end; i++, j++) if (a.getUint8(i) !== b.getUint8(j)) return false;
  return true;
}

/**
 * Copies `length` bytes of `from` at `i` to `to` at `j`. The two must not overlap; the caller has checked the bounds.
 */
export function copyBytes(from: DataView, i: number, to: DataView, j: number, length: number): void {
  const end = i + length;
  for (const last = end - 8; i <= last; i += 8, j += 8) to.setBigInt64(j, from.getBigInt64(i, true), true);
  if (i === end) return;
  if (length >= 8) {
    const back = 8 - (end - i);
    to.setBigInt64(j - back, from.getBigInt64(i - back, true), true);
    return;
  }
  for (; i < end; i++, j++) to.setUint8(j, from.getUint8(i));
}

/** A view of the same bytes, for the word-wise reads above. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Frees the memory of a buffer at once, if the buffer is all of its ArrayBuffer; the buffer is empty afterwards.
 *
 * Left to the garbage collector, bodies of megabytes make it collect the whole heap some ten times a second, since
 * V8 goes by external memory (docs/internals/measurements.md).
 */
export function release(buffer: Buffer): void {
  const memory = buffer.buffer;
  const whole = buffer.byteOffset === 0 && buffer.byteLength === memory.byteLength;
  if (whole && memory instanceof ArrayBuffer && !memory.detached) memory.transfer(0);
}
