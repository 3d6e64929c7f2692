import { copyBytes, KEPT_BYTES, viewOf } from '../wire/bytes.ts';

/**
 * A cache entry: one series, as a run of 32-bit words (host order) and bytes:
 *
 *     word 0  bytes of the whole entry, a multiple of 4
 *     word 1  slot: the entry's number in the cache's tables
 *     word 2  bytes of the raw labels
 *     word 3  number of route records
 *     raw label fields as received, padded to 4
 *     per route that the series matches:
 *       word 0  index of the route
 *       word 1  task, or DROPPED where a rule drops the series
 *       word 2  prefix: number of bytes that output labels and raw labels begin with alike
 *       word 3  middle: number of bytes that follow, which are not in the raw labels
 *       word 4  suffix: offset in the raw labels from which on they end the output labels
 *       the middle's bytes, padded to 4
 *
 * The output labels are prefix + middle + suffix. If only the task label is added, the middle is that label alone, and
 * an entry takes little more than the raw labels: half the memory of keeping both forms. The labels are copied from the
 * request, which is in the CPU's cache, not from this entry, which with a million series is not.
 */
export const ENTRY = { bytes: 0, slot: 1, rawLength: 2, routes: 3, words: 4 } as const;
export const ROUTE = { index: 0, task: 1, prefix: 2, middle: 3, suffix: 4, words: 5 } as const;

/** In place of the task: relabeling drops the series from this route. */
export const DROPPED = -1;

/** Rounds up to whole words, in bytes. */
export function padded(bytes: number): number {
  return (bytes + 3) & ~3;
}

const FIRST_BYTES = 16 * 1024;

/** Builds entries, one at a time, in the same buffer. */
export class EntryBuilder {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  words = new Int32Array(this.#bytes.buffer);
  view = viewOf(this.#bytes);
  #length = 0;
  #rawLength = 0;

  /** Bytes of the entry so far. */
  get length(): number {
    return this.#length;
  }

  begin(raw: DataView, start: number, rawLength: number): void {
    if (this.#bytes.length > KEPT_BYTES) this.#allocate(FIRST_BYTES);
    this.#length = ENTRY.words * 4;
    this.#reserve(padded(rawLength));
    this.#rawLength = rawLength;
    this.words[ENTRY.slot] = -1;
    this.words[ENTRY.rawLength] = rawLength;
    this.words[ENTRY.routes] = 0;
    copyBytes(raw, start, this.view, this.#length, rawLength);
    this.#length += padded(rawLength);
    this.words[ENTRY.bytes] = this.#length;
  }

  addDropped(route: number): void {
    this.#route(route, DROPPED, 0, 0, this.#rawLength);
  }

  /** Adds a route that takes the series. Its encoded output labels are `length` bytes of `labels` and of its view. */
  addTask(route: number, task: number, labels: Uint8Array, labelsView: DataView, length: number): void {
    const base = ENTRY.words * 4;
    const rawLength = this.#rawLength;
    const shorter = Math.min(length, rawLength);
    // By words first, then by bytes: the two are nearly always equal but for the task label.
    let prefix = 0;
    while (prefix + 4 <= shorter && this.view.getInt32(base + prefix) === labelsView.getInt32(prefix))
      prefix += 4;
    while (prefix < shorter && this.#bytes[base + prefix] === labels[prefix]) prefix++;
    const most = shorter - prefix;
    const rawEnd = base + rawLength;
    let suffix = 0;
    while (
      suffix + 4 <= most &&
      this.view.getInt32(rawEnd - 4 - suffix) === labelsView.getInt32(length - 4 - suffix)
    ) {
      suffix += 4;
    }
    while (suffix < most && this.#bytes[rawEnd - 1 - suffix] === labels[length - 1 - suffix]) suffix++;
    const middle = length - prefix - suffix;
    this.#route(route, task, prefix, middle, rawLength - suffix);
    this.#reserve(padded(middle));
    copyBytes(labelsView, prefix, this.view, this.#length, middle);
    this.#length += padded(middle);
    this.words[ENTRY.bytes] = this.#length;
  }

  #route(index: number, task: number, prefix: number, middle: number, suffix: number): void {
    this.#reserve(ROUTE.words * 4);
    const word = this.#length / 4;
    this.words[word + ROUTE.index] = index;
    this.words[word + ROUTE.task] = task;
    this.words[word + ROUTE.prefix] = prefix;
    this.words[word + ROUTE.middle] = middle;
    this.words[word + ROUTE.suffix] = suffix;
    this.#length += ROUTE.words * 4;
    this.words[ENTRY.bytes] = this.#length;
    this.words[ENTRY.routes] = this.words[ENTRY.routes]! + 1;
  }

  #reserve(extra: number): void {
    const needed = this.#length + extra;
    if (needed <= this.#bytes.length) return;
    const old = this.#bytes;
    this.#allocate(padded(Math.max(needed, old.length * 2)));
    old.copy(this.#bytes, 0, 0, this.#length);
  }

  #allocate(size: number): void {
    this.#bytes = Buffer.allocUnsafeSlow(size);
    this.words = new Int32Array(this.#bytes.buffer);
    this.view = viewOf(this.#bytes);
  }
}
