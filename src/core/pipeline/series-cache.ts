import { copyBytes, equalBytes } from '../wire/bytes.ts';
import { TAG_FIELD_1 } from '../wire/write-request.ts';
import { ENTRY, type EntryBuilder } from './series-entry.ts';

export interface SeriesCacheOptions {
  /** Most memory for slabs and tables together, in bytes; two slabs are used in any case. */
  readonly bytes: number;
  /** Size of a slab: a power of two. */
  readonly slabBytes?: number;
  /** Hash seed: random per process, so that series that collide in one process do not collide in all. */
  readonly seed?: number;
}

/** Content of the cache, and counters since it was made. */
export interface SeriesCacheStats {
  readonly series: number;
  /** Bytes allocated. */
  readonly bytes: number;
  /** Series recognised as the successor of the series before. */
  readonly predicted: number;
  /** Series recognised by looking them up. */
  readonly found: number;
  /** Series that took the cold path. */
  readonly missed: number;
  /** Of `missed`, those not kept: everything kept is in use, or the entry is too large, or its bucket full. */
  readonly unkept: number;
  readonly evicted: number;
}

interface Slab {
  readonly words: Int32Array;
  readonly view: DataView;
  /** Words in use. */
  used: number;
}

const NONE = -1;
/** Slabs used whatever the budget is. */
const LEAST_SLABS = 2;
/** A place is the index of a word, in 31 bits. */
const MAX_BYTES = 2 ** 33;
const FIRST_SLOTS = 1024;
/**
 * Most slots of a bucket. With as many buckets as slots, none comes near by chance. But any number of texts can be made
 * whose MurmurHash3 collides under every seed: whoever sends those must not turn each lookup into a search of them all.
 */
const MOST_IN_BUCKET = 64;
/**
 * Address space reserved at once, which slabs are cut from. Untouched it costs nothing. V8 collects garbage each time
 * external memory has grown by some 10 MB: slabs allocated one by one were half of that work.
 */
const RESERVED_BYTES = 64 * 1024 * 1024;
/** Length of an epoch, in multiples of the cache's capacity. */
const EPOCH_PASSES = 2;
/** A sweep that frees less than this share of a slab counts as in vain. */
const LEAST_FREED = 1 / 16;
/** Bytes of the tables below per slot, its bucket included. */
const TABLE_BYTES = 4 * 4 + 1 + 4;

/**
 * Series by their raw label bytes: a series seen before is recognised without decoding it.
 *
 * **Fast path.** A series is mostly followed by the same series as last time. So each entry remembers its successor,
 * whose bytes are compared first, without computing a hash. If they differ, the bytes are hashed, looked up and
 * compared: a hash alone never decides. (Costs: docs/internals/measurements.md; the plain twin is a Map, in the tests.)
 *
 * **Memory.** Entries (series-entry.ts) are stored one after the other in slabs, in the order of arrival, so that with
 * a million series a request still reads memory in order. Tables indexed by slot hold place, hash, chain, successor and
 * the epoch of the last use; a slot is a small number that stays the same when its entry moves. A successor's slot may
 * belong to another series by now: then the bytes differ, and the lookup decides.
 *
 * **Eviction.** Time is counted in epochs: one ends when twice as many series were seen as fit in the cache. When the
 * budget is spent the slabs are swept in turn: entries used in this epoch or the one before move to the front, the
 * others are evicted. If nothing can be evicted a new series is used once and not kept. So a million series that come
 * only once, or more series in turn than fit, do not displace the entries in use; a cache that always keeps the newest
 * would have no hits at all. Series that are no longer sent are evicted at the latest when four times as many series as
 * fit were seen.
 *
 * After `next`, `find` or `insert` the fields `words`, `view`, `word` and `slot` locate the entry, until the next call.
 */
export class SeriesCache {
  /** The current entry: its slab's words and bytes, the index of its first word, its slot (-1: not kept). */
  words: Int32Array;
  view: DataView;
  word = 0;
  slot = NONE;

  readonly #slabWords: number;
  readonly #slabShift: number;
  readonly #maxBytes: number;
  readonly #seed: number;
  readonly #slabs: Slab[] = [];
  #reserved = new ArrayBuffer(0);
  #reservedUsed = 0;
  #writing = 0;

  /** Place of a slot's entry in words over all slabs; NONE where the slot is free. */
  #place = new Int32Array(FIRST_SLOTS);
  #hash = new Int32Array(FIRST_SLOTS);
  /** The next slot in the same bucket; of a free slot, the next free one. */
  #chain = new Int32Array(FIRST_SLOTS);
  #successor = new Int32Array(FIRST_SLOTS);
  /** Epoch of the last use, in eight bits: an entry unused for 256 epochs counts as just used. */
  #used = new Uint8Array(FIRST_SLOTS);
  #buckets = new Int32Array(FIRST_SLOTS).fill(NONE);
  /** Slots that were ever in use. */
  #slots = 0;
  #free = NONE;
  /** Hash that `find` looked up last, and whether its bucket is full. */
  #lookedUp = 0;
  #isFull = false;
  #epoch = 0;
  /** Value of `#seen` at which the epoch ends. */
  #epochEnd = 0;
  /** Consecutive slabs swept in vain in this epoch. */
  #sweptInVain = 0;

  #series = 0;
  #predicted = 0;
  #found = 0;
  #missed = 0;
  #unkept = 0;
  #evicted = 0;

  constructor(options: SeriesCacheOptions) {
    const slabBytes = options.slabBytes ?? 1024 * 1024;
    if (slabBytes < 1024 || (slabBytes & (slabBytes - 1)) !== 0) {
      throw new RangeError(`slabBytes is ${slabBytes}: give a power of two from 1024`);
    }
    this.#slabWords = slabBytes / 4;
    this.#slabShift = Math.log2(this.#slabWords);
    this.#maxBytes = Math.min(options.bytes, MAX_BYTES);
    this.#seed = options.seed ?? 0;
    const first = this.#addSlab();
    this.words = first.words;
    this.view = first.view;
  }

  get stats(): SeriesCacheStats {
    return {
      series: this.#series,
      bytes: this.#bytes(this.#place.length),
      predicted: this.#predicted,
      found: this.#found,
      missed: this.#missed,
      unkept: this.#unkept,
      evicted: this.#evicted,
    };
  }

  /**
   * Whether the TimeSeries in `[start, end)` of `body` begins with the labels of the series that came after `previous`
   * (a slot, or -1) last time. If so that entry becomes the current one.
   */
  next(previous: number, body: DataView, start: number, end: number): boolean {
    if (previous < 0) return false;
    const slot = this.#successor[previous]!;
    if (slot < 0 || !this.#matches(slot, body, start, end)) return false;
    this.#predicted++;
    return true;
  }

  /**
   * Looks up the label fields in `[start, labelsEnd)` of `body` by hash, and remembers what it finds as the successor
   * of `previous`. If there is an entry it becomes the current one.
   */
  find(previous: number, body: DataView, start: number, labelsEnd: number): boolean {
    if (this.#seen >= this.#epochEnd) this.#nextEpoch();
    const hash = hashBytes(this.#seed, body, start, labelsEnd);
    this.#lookedUp = hash;
    let passed = 0;
    for (
      let slot = this.#buckets[hash & (this.#buckets.length - 1)]!;
      slot !== NONE;
      slot = this.#chain[slot]!
    ) {
      if (this.#hash[slot] === hash && this.#matches(slot, body, start, labelsEnd)) {
        if (previous >= 0) this.#successor[previous] = slot;
        this.#found++;
        return true;
      }
      passed++;
    }
    this.#isFull = passed >= MOST_IN_BUCKET;
    this.#missed++;
    return false;
  }

  /**
   * Keeps a series that `find` has just not found, as the successor of `previous`; its entry becomes the current one.
   * It is used once and not kept if it is larger than a quarter of a slab, its bucket is full, or there is no room.
   */
  insert(previous: number, entry: EntryBuilder): void {
    if (this.#isFull || entry.length > this.#slabWords || !this.#makeRoom(entry.length / 4)) {
      this.#unkept++;
      this.words = entry.words;
      this.view = entry.view;
      this.word = 0;
      this.slot = NONE;
      return;
    }
    const slot = this.#takeSlot();
    const slab = this.#slabs[this.#writing]!;
    const word = slab.used;
    copyBytes(entry.view, 0, slab.view, word * 4, entry.length);
    slab.words[word + ENTRY.slot] = slot;
    slab.used += entry.length / 4;
    const hash = this.#lookedUp;
    const bucket = hash & (this.#buckets.length - 1);
    this.#place[slot] = (this.#writing << this.#slabShift) | word;
    this.#hash[slot] = hash;
    this.#chain[slot] = this.#buckets[bucket]!;
    this.#buckets[bucket] = slot;
    this.#successor[slot] = NONE;
    this.#used[slot] = this.#epoch;
    this.#series++;
    if (previous >= 0) this.#successor[previous] = slot;
    this.words = slab.words;
    this.view = slab.view;
    this.word = word;
    this.slot = slot;
  }

  /**
   * Whether the series in `[start, end)` has exactly the raw labels of this slot. Equal bytes mean equal fields, so it
   * only remains to check that no further label field follows.
   */
  #matches(slot: number, body: DataView, start: number, end: number): boolean {
    const place = this.#place[slot]!;
    if (place < 0) return false;
    const slab = this.#slabs[place >>> this.#slabShift]!;
    const word = place & (this.#slabWords - 1);
    const rawLength = slab.words[word + ENTRY.rawLength]!;
    const labelsEnd = start + rawLength;
    if (labelsEnd > end || (labelsEnd < end && body.getUint8(labelsEnd) === TAG_FIELD_1)) return false;
    if (!equalBytes(body, start, slab.view, (word + ENTRY.words) * 4, rawLength)) return false;
    this.#used[slot] = this.#epoch;
    this.words = slab.words;
    this.view = slab.view;
    this.word = word;
    this.slot = slot;
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
    if (this.#free !== NONE || this.#slots < this.#place.length) return true;
    const slots = this.#place.length * 2;
    if (this.#bytes(slots) > this.#maxBytes) return false;
    this.#growTables(slots);
    return true;
  }

  /** Whether the slab being written has room for `words` words. Adds slabs within the budget. */
  #hasRoom(words: number): boolean {
    if (this.#slabs[this.#writing]!.used + words <= this.#slabWords) return true;
    const isSpent = this.#bytes(this.#place.length) + this.#slabWords * 4 > this.#maxBytes;
    if (isSpent && this.#slabs.length >= LEAST_SLABS) return false;
    this.#addSlab();
    this.#writing = this.#slabs.length - 1;
    return true;
  }

  #addSlab(): Slab {
    const bytes = this.#slabWords * 4;
    if (this.#reservedUsed + bytes > this.#reserved.byteLength) {
      this.#reserved = new ArrayBuffer(Math.max(bytes, Math.min(RESERVED_BYTES, this.#maxBytes)));
      this.#reservedUsed = 0;
    }
    const [buffer, at] = [this.#reserved, this.#reservedUsed];
    this.#reservedUsed += bytes;
    const slab = {
      words: new Int32Array(buffer, at, this.#slabWords),
      view: new DataView(buffer, at, bytes),
      used: 0,
    };
    this.#slabs.push(slab);
    return slab;
  }

  /** Series seen since the cache was made. */
  get #seen(): number {
    return this.#predicted + this.#found + this.#missed;
  }

  /** Capacity in series, if all are like those that are kept. */
  #room(): number {
    return Math.ceil(this.#series * Math.max(1, this.#maxBytes / this.#bytes(this.#place.length)));
  }

  #nextEpoch(): void {
    this.#epoch = (this.#epoch + 1) & 0xff;
    this.#epochEnd = this.#seen + EPOCH_PASSES * this.#room();
    this.#sweptInVain = 0;
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
      } else this.#forget(slot);
      word += words;
    }
    slab.used = kept;
    this.#sweptInVain = end - kept < this.#slabWords * LEAST_FREED ? this.#sweptInVain + 1 : 0;
    return kept < end;
  }

  #forget(slot: number): void {
    const bucket = this.#hash[slot]! & (this.#buckets.length - 1);
    let before = NONE;
    for (let at = this.#buckets[bucket]!; at !== slot; at = this.#chain[at]!) before = at;
    if (before === NONE) this.#buckets[bucket] = this.#chain[slot]!;
    else this.#chain[before] = this.#chain[slot]!;
    this.#place[slot] = NONE;
    this.#successor[slot] = NONE;
    this.#chain[slot] = this.#free;
    this.#free = slot;
    this.#series--;
    this.#evicted++;
  }

  /** Takes the slot that `#hasSlot` has found. */
  #takeSlot(): number {
    const slot = this.#free;
    if (slot === NONE) return this.#slots++;
    this.#free = this.#chain[slot]!;
    return slot;
  }

  #growTables(slots: number): void {
    this.#place = grown(this.#place, slots);
    this.#hash = grown(this.#hash, slots);
    this.#chain = grown(this.#chain, slots);
    this.#successor = grown(this.#successor, slots);
    const used = new Uint8Array(slots);
    used.set(this.#used);
    this.#used = used;
    // Every slot is in use here, so the chains can be rebuilt.
    this.#buckets = new Int32Array(slots).fill(NONE);
    for (let slot = 0; slot < this.#slots; slot++) {
      const bucket = this.#hash[slot]! & (slots - 1);
      this.#chain[slot] = this.#buckets[bucket]!;
      this.#buckets[bucket] = slot;
    }
  }

  /** Bytes of the slabs, and of tables for `slots` slots. */
  #bytes(slots: number): number {
    return this.#slabs.length * this.#slabWords * 4 + slots * TABLE_BYTES;
  }
}

function grown(table: Int32Array<ArrayBuffer>, slots: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(slots);
  larger.set(table);
  return larger;
}

/** 32-bit hash of the bytes in `[start, end)`: MurmurHash3's mixing, four bytes at a time. Not stored or sent. */
export function hashBytes(seed: number, bytes: DataView, start: number, end: number): number {
  let hash = seed ^ (end - start);
  let i = start;
  for (const last = end - 4; i <= last; i += 4) {
    let word = Math.imul(bytes.getInt32(i, true), 0xcc9e2d51);
    word = (word << 15) | (word >>> 17);
    hash ^= Math.imul(word, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  for (; i < end; i++) hash = Math.imul(hash ^ bytes.getUint8(i), 0x5bd1e995);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
