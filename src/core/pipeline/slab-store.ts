import { copyBytes, equalBytes } from '../wire/bytes.ts';
import type { SeriesBytes } from '../wire/series-walk.ts';
import { TAG_FIELD_1 } from '../wire/write-request.ts';
import { type CachePosition, ENTRY, type EntryBuilder, NONE } from './series-entry.ts';

export interface SlabOptions {
  /** Most memory for slabs and tables together, in bytes; two slabs are used in any case. */
  readonly bytes: number;
  /** Size of a slab: a power of two. */
  readonly slabBytes?: number;
}

interface Slab {
  readonly words: Int32Array;
  readonly view: DataView;
  /** Words in use. */
  used: number;
}

/** Slabs used whatever the budget is. */
const LEAST_SLABS = 2;
/** A place is the index of a word, in 31 bits. */
const MAX_BYTES = 2 ** 33;
export const FIRST_SLOTS = 1024;
/**
 * Address space reserved at once, which slabs are cut from. Untouched it costs nothing. V8 collects garbage each time
 * external memory has grown by some 10 MB: slabs allocated one by one were half of that work.
 */
const RESERVED_BYTES = 64 * 1024 * 1024;
/** Length of an epoch, in multiples of the store's capacity. */
const EPOCH_PASSES = 2;
/** A sweep that frees less than this share of a slab counts as in vain. */
const LEAST_FREED = 1 / 16;
/** Bytes of the tables below per slot. */
const SLOT_BYTES = 4 + 1;

/**
 * Where the entries of the series cache are stored, and which of them are evicted.
 *
 * **Memory.** Entries (series-entry.ts) are stored one after the other in slabs, in the order of arrival, so that with
 * a million series a request still reads memory in order. Tables indexed by slot hold the place and the epoch of the
 * last use; a slot is a small number that stays the same when its entry moves.
 *
 * **Eviction.** Time is counted in epochs: one ends when twice as many series were seen as fit in the cache. When the
 * budget is spent the slabs are swept in turn: entries used in this epoch or the one before move to the front, the
 * others are evicted. If nothing can be evicted a new series is used once and not kept. So a million series that come
 * only once, or more series in turn than fit, do not displace the entries in use; a cache that always keeps the newest
 * would have no hits at all. Series that are no longer sent are evicted at the latest when four times as many series as
 * fit were seen.
 */
export class SlabStore {
  /** Entries stored, and those that made room since the store was made. */
  entries = 0;
  evicted = 0;

  readonly #slabWords: number;
  readonly #slabShift: number;
  readonly #maxBytes: number;
  readonly #slotBytes: number;
  readonly #onEvict: (slot: number) => void;
  readonly #slabs: Slab[] = [];
  #reserved = new ArrayBuffer(0);
  #reservedUsed = 0;
  #writing = 0;

  /** Place of a slot's entry in words over all slabs; of a free slot, `NONE - 1 -` the next free one. */
  #place = new Int32Array(FIRST_SLOTS);
  /** Epoch of the last use, in eight bits: an entry unused for 256 epochs counts as just used. */
  #used = new Uint8Array(FIRST_SLOTS);
  /** Slots that were ever in use. */
  #slots = 0;
  #free = NONE;

  #epoch = 0;
  /** Series seen at which the epoch ends. */
  #epochEnd = 0;
  /** Sweeps in a row that freed hardly anything. */
  #sweptInVain = 0;

  /**
   * @param slotBytes bytes that the tables of the user take per slot
   * @param onEvict called with the slot of each entry that is evicted, before the slot is used again
   */
  constructor(
    { bytes, slabBytes = 1024 * 1024 }: SlabOptions,
    slotBytes: number,
    onEvict: (slot: number) => void,
  ) {
    if (slabBytes < 1024 || (slabBytes & (slabBytes - 1)) !== 0) {
      throw new RangeError(`slabBytes is ${slabBytes}: give a power of two from 1024`);
    }
    this.#slabWords = slabBytes / 4;
    this.#slabShift = Math.log2(this.#slabWords);
    this.#maxBytes = Math.min(bytes, MAX_BYTES);
    this.#slotBytes = SLOT_BYTES + slotBytes;
    this.#onEvict = onEvict;
    this.#addSlab();
  }

  /** Slots that there is memory for: the tables of the user have to have as many. */
  get slots(): number {
    return this.#place.length;
  }

  /** Bytes allocated, the user's tables included. */
  get bytes(): number {
    return this.#bytes(this.slots);
  }

  /** @param seen number of series that came since the store was made */
  countTime(seen: number): void {
    if (seen < this.#epochEnd) return;
    // Capacity in series, if all are like those that are kept.
    const room = Math.ceil(this.entries * Math.max(1, this.#maxBytes / this.bytes));
    this.#epoch = (this.#epoch + 1) & 0xff;
    this.#epochEnd = seen + EPOCH_PASSES * room;
    this.#sweptInVain = 0;
  }

  /**
   * Goes to the entry of this slot, and counts it as used, if the series has exactly its raw labels. Equal bytes mean
   * equal fields, so it only remains to check that no further label field follows.
   */
  goToMatch(position: CachePosition, slot: number, series: SeriesBytes): boolean {
    const place = this.#place[slot]!;
    if (place < 0) return false;
    const slab = this.#slabs[place >>> this.#slabShift]!;
    const word = place & (this.#slabWords - 1);
    const { view, start, end } = series;
    const rawLength = slab.words[word + ENTRY.rawLength]!;
    const labelsEnd = start + rawLength;
    if (labelsEnd > end || (labelsEnd < end && view.getUint8(labelsEnd) === TAG_FIELD_1)) return false;
    if (!equalBytes(view, start, slab.view, (word + ENTRY.words) * 4, rawLength)) return false;
    this.#used[slot] = this.#epoch;
    position.goTo(slot, slab.words, slab.view, word);
    return true;
  }

  /** Stores a copy of an entry and goes there. False if it is larger than a quarter of a slab, or there is no room. */
  add(position: CachePosition, entry: EntryBuilder): boolean {
    if (entry.length > this.#slabWords || !this.#makeRoom(entry.length / 4)) return false;
    const slot = this.#takeSlot();
    const slab = this.#slabs[this.#writing]!;
    const word = slab.used;
    copyBytes(entry.view, 0, slab.view, word * 4, entry.length);
    slab.words[word + ENTRY.slot] = slot;
    slab.used += entry.length / 4;
    this.#place[slot] = (this.#writing << this.#slabShift) | word;
    this.#used[slot] = this.#epoch;
    this.entries++;
    position.goTo(slot, slab.words, slab.view, word);
    return true;
  }

  /** Makes sure of a free slot, and of room for `words` words in the slab being written. False if there is none. */
  #makeRoom(words: number): boolean {
    return (
      (this.#hasSlot() && this.#hasRoom(words)) || (this.#sweep() && this.#hasSlot() && this.#hasRoom(words))
    );
  }

  /** Whether there is a free slot. Grows the tables within the budget. */
  #hasSlot(): boolean {
    if (this.#free !== NONE || this.#slots < this.slots) return true;
    const slots = this.slots * 2;
    if (this.#bytes(slots) > this.#maxBytes) return false;
    this.#place = grown(this.#place, slots);
    const used = new Uint8Array(slots);
    used.set(this.#used);
    this.#used = used;
    return true;
  }

  /** Whether the slab being written has room for `words` words. Adds slabs within the budget. */
  #hasRoom(words: number): boolean {
    if (this.#slabs[this.#writing]!.used + words <= this.#slabWords) return true;
    const isSpent = this.bytes + this.#slabWords * 4 > this.#maxBytes;
    if (isSpent && this.#slabs.length >= LEAST_SLABS) return false;
    this.#addSlab();
    this.#writing = this.#slabs.length - 1;
    return true;
  }

  #addSlab(): void {
    const bytes = this.#slabWords * 4;
    if (this.#reservedUsed + bytes > this.#reserved.byteLength) {
      this.#reserved = new ArrayBuffer(Math.max(bytes, Math.min(RESERVED_BYTES, this.#maxBytes)));
      this.#reservedUsed = 0;
    }
    const [buffer, at] = [this.#reserved, this.#reservedUsed];
    this.#reservedUsed += bytes;
    this.#slabs.push({
      words: new Int32Array(buffer, at, this.#slabWords),
      view: new DataView(buffer, at, bytes),
      used: 0,
    });
  }

  /**
   * Makes the next slab the one being written: entries in use move to its front, the others are evicted.
   * False if nothing was evicted, or if all slabs were swept in vain already in this epoch.
   */
  #sweep(): boolean {
    if (this.#sweptInVain >= this.#slabs.length) return false;
    this.#writing = (this.#writing + 1) % this.#slabs.length;
    const slab = this.#slabs[this.#writing]!;
    const end = slab.used;
    let kept = 0;
    for (let word = 0; word < end; ) {
      const words = slab.words[word + ENTRY.bytes]! / 4;
      const slot = slab.words[word + ENTRY.slot]!;
      if (((this.#epoch - this.#used[slot]!) & 0xff) <= 1) {
        if (kept < word) slab.words.copyWithin(kept, word, word + words);
        this.#place[slot] = (this.#writing << this.#slabShift) | kept;
        kept += words;
      } else this.#evict(slot);
      word += words;
    }
    slab.used = kept;
    this.#sweptInVain = end - kept < this.#slabWords * LEAST_FREED ? this.#sweptInVain + 1 : 0;
    return kept < end;
  }

  #evict(slot: number): void {
    this.#onEvict(slot);
    this.#place[slot] = NONE - 1 - this.#free;
    this.#free = slot;
    this.entries--;
    this.evicted++;
  }

  /** Takes the slot that `#hasSlot` has found. */
  #takeSlot(): number {
    const slot = this.#free;
    if (slot === NONE) return this.#slots++;
    this.#free = NONE - 1 - this.#place[slot]!;
    return slot;
  }

  /** Bytes of the slabs, and of all tables for `slots` slots. */
  #bytes(slots: number): number {
    return this.#slabs.length * this.#slabWords * 4 + slots * this.#slotBytes;
  }
}

/** A copy of a table with room for more slots. */
export function grown(table: Int32Array<ArrayBuffer>, slots: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(slots);
  larger.set(table);
  return larger;
}
