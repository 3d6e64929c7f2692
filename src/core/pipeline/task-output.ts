import type { TaskRecord, Tenant } from '../model/records.ts';
import { copyBytes, release, viewOf } from '../wire/bytes.ts';
import { compress, FRAGMENT_BYTES, joinBlocks, maxUncompressedLength } from '../wire/snappy.ts';
import { TAG_FIELD_1 } from '../wire/write-request.ts';

/** Most bytes of an output before compression, however large records may be. */
const MOST_BYTES = 8 * 1024 * 1024;
const FIRST_BYTES = 8 * 1024;
/**
 * Bytes that are compressed at a time. Blocks of one fragment cost a few per cent of the worker's CPU time, for calls
 * and buffers; larger ones take more memory and save nothing (docs/internals/measurements.md).
 */
const BLOCK_BYTES = 4 * FRAGMENT_BYTES;

/** Bytes before compression that an output may reach, so that the record is sure to fit in `maxRecordBytes`. */
export function outputCapacity(maxRecordBytes: number): number {
  return Math.min(MOST_BYTES, maxUncompressedLength(maxRecordBytes));
}

/** A buffer with the view that words are copied through. */
export interface OutputBuffer {
  readonly bytes: Buffer;
  readonly view: DataView;
}

/** Bytes of headers and framing of each record, without the tenant's headers. */
const RECORD_HEADER_BYTES = 400;

/** Totals of a step's outputs, which they update as they grow. */
export class OutputLoad {
  /** Outputs that hold a buffer. */
  open = 0;
  /** Records that are complete. */
  sealed = 0;
  /** Memory of both, headers included. */
  bytes = 0;
}

/**
 * Pool of buffers that the outputs of a step fill. Sizes are powers of two.
 * The largest free one is taken first: then an output seldom has to grow, which copies its content.
 */
export class BufferPool {
  /** By the exponent of their size. */
  readonly #free: OutputBuffer[][] = Array.from({ length: 32 }, () => []);
  readonly #maxBytes: number;
  #bytes = 0;

  /** @param maxBytes most bytes of unused buffers that are kept */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A buffer of at least `bytes` bytes, not cleared. */
  take(bytes: number): OutputBuffer {
    const exponent = Math.ceil(Math.log2(Math.max(bytes, FIRST_BYTES)));
    for (let size = this.#free.length - 1; size >= exponent; size--) {
      const kept = this.#free[size]!.pop();
      if (!kept) continue;
      this.#bytes -= kept.bytes.length;
      return kept;
    }
    const fresh = Buffer.allocUnsafeSlow(2 ** exponent);
    return { bytes: fresh, view: viewOf(fresh) };
  }

  give(buffer: OutputBuffer): void {
    if (this.#bytes + buffer.bytes.length > this.#maxBytes) {
      release(buffer.bytes);
      return;
    }
    this.#bytes += buffer.bytes.length;
    this.#free[Math.log2(buffer.bytes.length)]!.push(buffer);
  }
}

/**
 * The WriteRequest that grows for one (route, task, tenant), and the records already complete.
 *
 * It is compressed block by block as it grows, so an output holds one block before compression, not all of a step.
 * Records are no larger for it, since snappy looks no further back than a fragment anyway.
 */
export class TaskOutput {
  readonly route: number;
  readonly topic: string;
  readonly task: number;
  readonly tenant: Tenant;
  /** Most bytes before compression. */
  readonly capacity: number;
  readonly #pool: BufferPool;
  readonly #load: OutputLoad;
  #buffer: OutputBuffer | undefined;
  #view: DataView;
  /** Bytes in the buffer, and the number beyond which `#makeRoom` is called. */
  #length = 0;
  #limit = 0;
  /** Compressed blocks of the record before the buffer, and their bytes before compression. */
  #blocks: Buffer[] = [];
  #blocksLength = 0;
  #series = 0;
  #samples = 0;
  #timestamp = Number.POSITIVE_INFINITY;
  #sealed: TaskRecord[] = [];

  constructor(
    route: { index: number; topic: string },
    task: number,
    tenant: Tenant,
    capacity: number,
    pool: BufferPool,
    load = new OutputLoad(),
  ) {
    this.route = route.index;
    this.topic = route.topic;
    this.task = task;
    this.tenant = tenant;
    this.capacity = capacity;
    this.#pool = pool;
    this.#load = load;
    this.#view = NO_VIEW;
  }

  /**
   * Appends one TimeSeries: `prefix` bytes of `body` at `start`, `middle` bytes of `entry` at `middleAt`, and `body` in
   * `[rest, end)`: the end of the raw labels, and all that follows them, as it is.
   * False, with nothing appended, if the series alone exceeds the capacity.
   *
   * Fast path: no object is made. Its plain twin, which encodes from decoded parts, is in
   * test/support/plain-pipeline.ts.
   */
  append(
    body: DataView,
    start: number,
    prefix: number,
    entry: DataView,
    middleAt: number,
    middle: number,
    rest: number,
    end: number,
    samples: number,
    timestamp: number,
  ): boolean {
    const restLength = end - rest;
    const size = prefix + middle + restLength;
    const total = size + (size < 0x80 ? 2 : size < 0x4000 ? 3 : size < 0x200000 ? 4 : 5);
    if (this.#length + total > this.#limit && !this.#makeRoom(total)) return false;
    const view = this.#view;
    let at = this.#length;
    view.setUint8(at++, TAG_FIELD_1);
    let length = size;
    while (length >= 0x80) {
      view.setUint8(at++, (length & 0x7f) | 0x80);
      length >>>= 7;
    }
    view.setUint8(at++, length);
    copyBytes(body, start, view, at, prefix);
    at += prefix;
    copyBytes(entry, middleAt, view, at, middle);
    at += middle;
    copyBytes(body, rest, view, at, restLength);
    this.#length = at + restLength;
    this.#series++;
    this.#samples += samples;
    if (timestamp < this.#timestamp) this.#timestamp = timestamp;
    return true;
  }

  /** Hands over the records, and gives the buffer back. */
  finish(into: TaskRecord[]): void {
    this.#seal();
    for (const record of this.#sealed) into.push(record);
    this.#sealed = [];
    if (this.#buffer) this.#pool.give(this.#buffer);
    this.#buffer = undefined;
    this.#view = NO_VIEW;
    this.#limit = 0;
  }

  /** Closes the record or the block, or grows the buffer. False if even an empty record is too small. */
  #makeRoom(total: number): boolean {
    if (total > this.capacity) return false;
    if (this.#blocksLength + this.#length + total > this.capacity) this.#seal();
    else if (this.#length + total > BLOCK_BYTES) this.#closeBlock();
    const needed = this.#length + total;
    const size = this.#reserve(needed);
    this.#limit = Math.min(size, Math.max(needed, BLOCK_BYTES), this.capacity - this.#blocksLength);
    return true;
  }

  /** Grows the buffer to at least `needed` bytes, and returns its size. */
  #reserve(needed: number): number {
    const old = this.#buffer;
    if (old && old.bytes.length >= needed) return old.bytes.length;
    const buffer = this.#pool.take(needed);
    if (old) {
      old.bytes.copy(buffer.bytes, 0, 0, this.#length);
      this.#load.bytes -= old.bytes.length;
      this.#pool.give(old);
    } else {
      this.#load.open++;
      this.#load.bytes += RECORD_HEADER_BYTES + this.tenant.key.length;
    }
    this.#load.bytes += buffer.bytes.length;
    this.#buffer = buffer;
    this.#view = buffer.view;
    return buffer.bytes.length;
  }

  #closeBlock(): void {
    if (this.#length === 0) return;
    const block = compress(this.#buffer!.bytes.subarray(0, this.#length));
    this.#blocks.push(block);
    this.#load.bytes += block.length;
    this.#blocksLength += this.#length;
    this.#length = 0;
  }

  #seal(): void {
    if (this.#series === 0) return;
    this.#closeBlock();
    const blocks = this.#blocks;
    this.#sealed.push({
      route: this.route,
      topic: this.topic,
      partition: this.task,
      value: joinAndRelease(blocks),
      timestamp: this.#timestamp,
      tenant: this.tenant,
      series: this.#series,
      samples: this.#samples,
    });
    this.#load.sealed++;
    this.#load.bytes += RECORD_HEADER_BYTES + this.tenant.key.length;
    this.#blocks = [];
    this.#blocksLength = 0;
    this.#series = 0;
    this.#samples = 0;
    this.#timestamp = Number.POSITIVE_INFINITY;
  }
}

/** Frees the blocks at once: left to the garbage collector they cost one more full collection every few seconds. */
function joinAndRelease(blocks: readonly Buffer[]): Buffer {
  if (blocks.length === 1) return blocks[0]!;
  const joined = joinBlocks(blocks);
  for (const block of blocks) release(block);
  return joined;
}

const NO_VIEW = new DataView(new ArrayBuffer(0));
