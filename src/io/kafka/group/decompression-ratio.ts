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
