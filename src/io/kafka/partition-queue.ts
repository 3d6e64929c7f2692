import type { Lease } from '../../core/wire/memory.ts';

/** A record that was fetched. Its buffers are slices of one allocation for all records of the fetch and partition. */
export interface FetchedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | string | null | undefined>>;
  /** Number of headers beyond those that are kept. */
  readonly headersLeftOut?: number;
  /** On the last record of a fetch: owns the memory of all its records. May be ended when all of them are done. */
  readonly lease?: Lease;
}

/** Bytes counted per record, and per header, for their objects, in addition to their content. */
export const RECORD_OVERHEAD_BYTES = 400;
export const HEADER_OVERHEAD_BYTES = 150;

/** Memory that a record takes while it waits, in bytes. */
export function recordBytes({ key, value, headers }: FetchedRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
  for (const name in headers) bytes += HEADER_OVERHEAD_BYTES + name.length + (headers[name]?.length ?? 0);
  return bytes;
}

/** Fetched records of one partition, in order. Counts bytes; the owner bounds them. */
export class PartitionQueue {
  #records: FetchedRecord[] = [];
  #bytes = 0;
  #unused = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes including the unused part of lent buffers: what the queue costs. */
  get memoryBytes(): number {
    return this.#bytes + this.#unused;
  }

  get length(): number {
    return this.#records.length;
  }

  get first(): FetchedRecord | undefined {
    return this.#records[0];
  }

  push(record: FetchedRecord): void {
    this.#records.push(record);
    this.#bytes += recordBytes(record);
    this.#unused += record.lease?.unusedBytes ?? 0;
  }

  /** Takes records off the front: at least one if there is any, then as many as stay within the two limits. */
  take(maxRecords: number, maxBytes: number): FetchedRecord[] {
    let count = 0;
    let bytes = 0;
    while (count < this.#records.length && count < maxRecords) {
      const size = recordBytes(this.#records[count]!);
      if (count > 0 && bytes + size > maxBytes) break;
      bytes += size;
      count += 1;
    }
    this.#bytes -= bytes;
    const taken = this.#records.splice(0, count);
    for (const { lease } of taken) this.#unused -= lease?.unusedBytes ?? 0;
    return taken;
  }

  /** Returns the records taken last to the front. */
  putBack(records: readonly FetchedRecord[]): void {
    this.#records = [...records, ...this.#records];
    for (const record of records) {
      this.#bytes += recordBytes(record);
      this.#unused += record.lease?.unusedBytes ?? 0;
    }
  }

  clear(): void {
    this.#records = [];
    this.#bytes = 0;
    this.#unused = 0;
  }
}

/** Assumed expansion before the first fetch, so that it asks for little. */
const UNSEEN = 8;
/** Share by which the value falls towards a lower ratio per fetch; it rises at once. */
const DECAY = 1 / 8;

/**
 * Queue bytes per fetched byte of a partition: above 1 for compressed batches or small records. Fetches are sized in
 * bytes on the wire, queues in bytes of memory.
 */
export class DecompressionRatio {
  #value = UNSEEN;
  #isSeen = false;

  /** At least 1. */
  get value(): number {
    return this.#value;
  }

  /** Counts a fetch of `bytes` that takes `queued` bytes in the queue. 0 bytes (the partition's end) are ratio 1. */
  fetched(bytes: number, queued: number): void {
    const next = bytes === 0 ? 1 : Math.max(1, queued / bytes);
    const step = next < this.#value && this.#isSeen ? DECAY : 1;
    this.#value += (next - this.#value) * step;
    this.#isSeen = true;
  }
}
