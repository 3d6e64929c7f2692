/** Larger ones are decompressed again for each part, rather than kept. */
const MOST_BYTES = 64 * 1024 * 1024;
/** A partition that does not come back for the rest within this time, in ms, may be another member's by now. */
const KEPT_MS = 10_000;

/** A compressed batch that has been checked, and of which the records from `position` on are still to be read. */
export interface HalfRead {
  /** Its records, decompressed. */
  readonly bytes: Buffer;
  readonly position: number;
  /** Records from there on. */
  readonly left: number;
  /** Of the first of them. */
  readonly offsetDelta: number;
}

/**
 * The last batch of a process that was read in part. A queue takes a few thousand records at a time, and a batch may hold
 * millions of a few bytes: decompressed and checked again for each part they would cost time that grows with the square of
 * their number (half an hour for one batch of less than 1 MiB).
 */
export class HalfReadBatch {
  #batch: Buffer | undefined;
  #rest: HalfRead | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** What is left of the batch with these bytes, as it was fetched; it is kept no longer. */
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
