/** Larger ones are decompressed again for each part, rather than kept. */
const MOST_BYTES = 64 * 1024 * 1024;
/** Time a batch is kept, in ms: by then its partition may belong to another member. */
const KEPT_MS = 10_000;

/** A compressed batch that has been checked, and of which the records from `position` on are still to be read. */
export interface HalfRead {
  /** Its records, decompressed. */
  readonly bytes: Buffer;
  readonly position: number;
  /** Records from there on. */
  readonly left: number;
  /** Offset delta of the first of them. */
  readonly offsetDelta: number;
}

/**
 * Cache of the batch last read in part, one per process. A queue takes a few thousand records at a time, and a batch
 * may hold millions of a few bytes: decompressing and checking it again for each part takes time quadratic in their
 * number (half an hour for one batch of less than 1 MiB).
 */
export class HalfReadBatch {
  #batch: Buffer | undefined;
  #rest: HalfRead | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Removes and returns the rest of the batch with these bytes (as fetched), if it is the cached one. */
  take(batch: Uint8Array): HalfRead | undefined {
    if (this.#batch === undefined || !this.#batch.equals(batch)) return undefined;
    const rest = this.#rest;
    this.#drop();
    return rest;
  }

  keep(batch: Uint8Array, rest: HalfRead): void {
    this.#drop();
    if (rest.bytes.length > MOST_BYTES) return;
    this.#batch = Buffer.from(batch);
    this.#rest = rest;
    this.#timer = setTimeout(() => this.#drop(), KEPT_MS).unref();
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#batch = this.#rest = this.#timer = undefined;
  }
}
