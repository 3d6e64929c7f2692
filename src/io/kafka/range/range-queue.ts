import { copyRecords } from '../copy-records.ts';
import type { UnreadableBatch } from '../errors.ts';
import { type FetchedRecord, PartitionQueue } from '../partition-queue.ts';
import type { FetchedBatch } from '../patch/types.ts';

/** Offsets of one partition: `from` included, `to` not. */
export interface OffsetRange {
  readonly from: bigint;
  readonly to: bigint;
}

/** Offsets that were gone before they were read. */
export interface OffsetGap extends OffsetRange {
  readonly partition: number;
  /** They are there, in a record batch that cannot be read: what is wrong with it. */
  readonly corrupt?: string;
}

/**
 * The range of one partition between the fetches and whoever takes its records: what is fetched and not yet taken.
 *
 * A gap is handed out only once everything before it has been taken.
 */
export class RangeQueue {
  readonly partition: number;
  readonly to: bigint;
  readonly #queue = new PartitionQueue();
  /** Offset that the next fetch must begin at. */
  #position: bigint;
  /** What has been handed out reaches to here. */
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

  /** Nothing more is to be fetched. */
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

  /** Everything has been fetched and taken. */
  get finished(): boolean {
    return this.#taken >= this.to;
  }

  /** Takes over what a fetch brought. False: it is not what comes next. */
  offer(batch: FetchedBatch): boolean {
    if (this.fetched || this.held || BigInt(batch.fetchedOffset) !== this.#position) return false;
    for (const record of copyRecords(batch)) {
      if (record.offset >= this.#position && record.offset < this.to) this.#queue.push(record);
    }
    const next = BigInt(batch.lastOffset()) + 1n;
    if (next > this.#position) this.#position = smaller(next, this.to);
    return true;
  }

  /** The oldest record kept is at `low`: what lies between is gone. */
  skipTo(low: bigint): void {
    const to = smaller(low, this.to);
    this.#gap = { partition: this.partition, from: this.#position, to };
    this.#position = to;
  }

  /** The batch at the position cannot be read and is passed over. */
  passOver({ nextOffset }: UnreadableBatch, message: string): void {
    const to = smaller(nextOffset, this.to);
    this.#gap = { partition: this.partition, from: this.#position, to, corrupt: message };
    this.#position = to;
  }

  /** Takes records off the front, at most `maxBytes` of them, but at least one if there is any. */
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
