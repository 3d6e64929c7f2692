import { release } from './bytes.ts';

/** Less than this is not worth keeping: plain memory then. */
const LEAST_BYTES = 64 * 1024;
/** Most that is kept while nobody uses it. */
const KEPT_BYTES = 32 * 1024 * 1024;

/** Free memory by the exponent of its size. */
const free: ArrayBuffer[][] = Array.from({ length: 32 }, () => []);
let freeBytes = 0;
const lent = new WeakSet<ArrayBufferLike>();

/**
 * Memory for bytes that come and go by the megabyte: fetches, the records in them, Produce requests. It is not cleared.
 *
 * Fast path: V8 goes by the bytes outside of its heap, and one as small as a worker's is collected, all of it, whenever
 * they have grown by some 10 MB. So what is given back is lent again instead of freed (docs/internals/measurements.md).
 */
export function lend(bytes: number): Buffer<ArrayBuffer> {
  if (bytes < LEAST_BYTES || bytes > KEPT_BYTES) return Buffer.allocUnsafeSlow(bytes) as Buffer<ArrayBuffer>;
  const exponent = Math.ceil(Math.log2(bytes));
  const kept = free[exponent]!.pop();
  if (kept !== undefined) freeBytes -= kept.byteLength;
  const memory = kept ?? (Buffer.allocUnsafeSlow(2 ** exponent).buffer as ArrayBuffer);
  lent.add(memory);
  return Buffer.from(memory, 0, bytes);
}

/**
 * Takes memory back that was lent, or frees memory that is all the buffer's own. The buffer, and whatever else refers
 * to the same memory, is empty afterwards: what is used too long shows no one else's bytes.
 */
export function giveBack(buffer: Buffer): void {
  const memory = buffer.buffer;
  if (!(memory instanceof ArrayBuffer) || !lent.delete(memory)) {
    release(buffer);
    return;
  }
  if (freeBytes + memory.byteLength > KEPT_BYTES) {
    memory.transfer(0);
    return;
  }
  freeBytes += memory.byteLength;
  free[Math.log2(memory.byteLength)]!.push(memory.transfer());
}
