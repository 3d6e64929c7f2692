import { copyRecords } from '../copy-records.ts';
import type { UnreadableBatch } from '../errors.ts';
import { type FetchedRecord, PartitionQueue } from '../partition-queue.ts';
import type { FetchedBatch } from '../patch/types.ts';

/** Offsets of one partition: `from` included, `to` not. */
export interface OffsetRange {
  readonly from: bigint;
  readonly to: bigint;
}

/** Offsets that could not be read: deleted by retention, or in an unreadable record batch. */
export interface OffsetGap extends OffsetRange {
  readonly partition: number;
  /** Fault of the unreadable batch; absent: the records are gone. */
  readonly corrupt?: string;
}

/**
 * Fetched and not yet taken records of one partition's range.
 *
 * A gap is handed out only once everything before it has been taken.
 */
export class RangeQueue {
  readonly partition: number;
  readonly to: bigint;
  readonly #queue = new PartitionQueue();
  /** Offset at which the next fetch must start. */
  #position: bigint;
  /** Offset up to which records were handed out. */
  #taken: bigint;
  #gap: OffsetGap | undefined;

  constructor(partition: number, { from, to }: OffsetRange) {
    this.partition = partition;
    this.to = to;
    this.#position = from;
    this.#taken = from;
  }

  get position(): bigint {
    return this.#position;
  }

  get bytes(): number {
    return this.#queue.bytes;
  }

  /** True when the range is fetched to its end. */
  get fetched(): boolean {
    return this.#position >= this.to;
  }

  /** A gap has been met. Nothing is fetched until it is handed out. */
  get held(): boolean {
    return this.#gap !== undefined;
  }

  /** There is something to take: records, a gap, or offsets without records. */
  get ready(): boolean {
    return this.#taken < this.#reached();
  }

  /** True when everything has been fetched and taken. */
  get finished(): boolean {
    return this.#taken >= this.to;
  }

  /** Queues a fetched batch. @returns false if it does not continue at the position */
  offer(batch: FetchedBatch): boolean {
    if (this.fetched || this.held || BigInt(batch.fetchedOffset) !== this.#position) return false;
    for (const record of copyRecords(batch)) {
      if (record.offset >= this.#position && record.offset < this.to) this.#queue.push(record);
    }
    const next = BigInt(batch.lastOffset()) + 1n;
    if (next > this.#position) this.#position = smaller(next, this.to);
    return true;
  }

  /** Records a gap up to `low`, the oldest offset kept. */
  skipTo(low: bigint): void {
    const to = smaller(low, this.to);
    this.#gap = { partition: this.partition, from: this.#position, to };
    this.#position = to;
  }

  /** Skips the unreadable batch at the position, as a gap. */
  passOver({ nextOffset }: UnreadableBatch, message: string): void {
    const to = smaller(nextOffset, this.to);
    this.#gap = { partition: this.partition, from: this.#position, to, corrupt: message };
    this.#position = to;
  }

  /**
   * Takes records off the front: at least one if there is any, then within both limits. Once none are left, the gap.
   */
  take(maxRecords: number, maxBytes: number): { records: FetchedRecord[]; next: bigint; gap?: OffsetGap } {
    const records = this.#queue.take(maxRecords, maxBytes);
    const gap = records.length === 0 && this.#queue.length === 0 ? this.#gap : undefined;
    if (gap !== undefined) this.#gap = undefined;
    this.#taken = this.#queue.first?.offset ?? this.#gap?.from ?? this.#position;
    return { records, next: this.#taken, ...(gap === undefined ? {} : { gap }) };
  }

  #reached(): bigint {
    return this.#queue.length > 0 || this.#gap !== undefined ? this.#taken + 1n : this.#position;
  }
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
