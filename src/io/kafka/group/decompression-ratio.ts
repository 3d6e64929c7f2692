/** What fetches are taken to expand to until one has answered: the first is small then. */
const UNSEEN = 8;
/** Of the difference a fetch that expands less takes off so much; one that expands more counts at once. */
const DECAY = 1 / 8;

/**
 * How many bytes a partition's queue takes for a byte that is fetched: more than one where batches are compressed, or
 * records are small. A fetch is asked for in bytes on the wire, and a queue is bounded in bytes of memory.
 */
export class DecompressionRatio {
  #value = UNSEEN;
  #isSeen = false;

  /** From 1. */
  get value(): number {
    return this.#value;
  }

  /** A fetch brought so many bytes that take so many in the queue. None: the partition's end, where nothing is to be feared. */
  fetched(bytes: number, queued: number): void {
    const next = bytes === 0 ? 1 : Math.max(1, queued / bytes);
    const step = next < this.#value && this.#isSeen ? DECAY : 1;
    this.#value += (next - this.#value) * step;
    this.#isSeen = true;
  }
}
