import { release } from './bytes.ts';

/** Smaller buffers are not worth keeping: they are allocated plainly. */
const LEAST_BYTES = 64 * 1024;
/** Most bytes of unused memory that are kept. */
const KEPT_BYTES = 32 * 1024 * 1024;

/** Free memory by the exponent of its size. */
const free: ArrayBuffer[][] = Array.from({ length: 32 }, () => []);
let freeBytes = 0;
const lent = new WeakSet<ArrayBufferLike>();

/**
 * Lends memory for large buffers with a short life: fetches, the records in them, Produce requests. It is not cleared.
 *
 * Fast path: V8 collects all of a heap as small as a worker's whenever external memory has grown by some 10 MB. So
 * memory that is given back is lent again instead of freed (docs/internals/measurements.md).
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

/** Owns the memory of a buffer that outlives the call which made it, such as that of all records of a fetch. */
export class Lease {
  #buffer: Buffer | undefined;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  /** Bytes of the memory beyond the buffer: up to as much again where it was lent. */
  get unusedBytes(): number {
    const buffer = this.#buffer;
    return buffer === undefined ? 0 : buffer.buffer.byteLength - buffer.length;
  }

  /** Gives the memory back (`giveBack`), when nobody needs the bytes any more. A second call does nothing. */
  end(): void {
    if (this.#buffer !== undefined) giveBack(this.#buffer);
    this.#buffer = undefined;
  }
}

/**
 * Takes lent memory back; frees any other (`release`). The buffer and all views of the same memory are empty
 * afterwards, so that use after return cannot read another's bytes.
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
