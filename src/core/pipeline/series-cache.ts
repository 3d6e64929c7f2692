import type { SeriesBytes } from '../wire/series-walk.ts';
import { type CachePosition, type EntryBuilder, NONE } from './series-entry.ts';
import { FIRST_SLOTS, grown, type SlabOptions, SlabStore } from './slab-store.ts';

export interface SeriesCacheOptions extends SlabOptions {
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

/**
 * Most slots of a bucket. With as many buckets as slots, none comes near by chance. But any number of texts can be made
 * whose MurmurHash3 collides under every seed: whoever sends those must not turn each lookup into a search of them all.
 */
const MOST_IN_BUCKET = 64;
/** Bytes of the tables below per slot, its bucket included. */
const TABLE_BYTES = 4 * 4;

/**
 * Series by their raw label bytes: a series seen before is recognised without decoding it. The entries are in a
 * `SlabStore`, which knows about memory; here are the ways to them.
 *
 * **Fast path.** A series is mostly followed by the same series as last time. So each entry remembers its successor,
 * whose bytes are compared first, without computing a hash. If they differ, the bytes are hashed, looked up and
 * compared: a hash alone never decides. A successor's slot may belong to another series by now: then the bytes differ
 * too. (Costs: docs/internals/measurements.md; the plain twin is a Map, in the tests.)
 *
 * Each reader has a `CachePosition` of its own, which goes from the entry of one series to that of the next.
 */
export class SeriesCache {
  readonly #seed: number;
  readonly #store: SlabStore;
  #hash = new Int32Array(FIRST_SLOTS);
  /** The next slot in the same bucket. */
  #chain = new Int32Array(FIRST_SLOTS);
  #successor = new Int32Array(FIRST_SLOTS);
  #buckets = new Int32Array(FIRST_SLOTS).fill(NONE);

  #predicted = 0;
  #found = 0;
  #missed = 0;
  #unkept = 0;

  constructor(options: SeriesCacheOptions) {
    this.#seed = options.seed ?? 0;
    this.#store = new SlabStore(options, TABLE_BYTES, (slot) => this.#unlink(slot));
  }

  get stats(): SeriesCacheStats {
    return {
      series: this.#store.entries,
      bytes: this.#store.bytes,
      predicted: this.#predicted,
      found: this.#found,
      missed: this.#missed,
      unkept: this.#unkept,
      evicted: this.#store.evicted,
    };
  }

  /**
   * Goes to the entry that followed last time, if it is that of `series`; labels further back in the series are not
   * looked for. False: the position is where it was.
   */
  next(position: CachePosition, series: SeriesBytes): boolean {
    if (position.slot < 0) return false;
    const slot = this.#successor[position.slot]!;
    if (slot < 0 || !this.#store.goToMatch(position, slot, series)) return false;
    this.#predicted++;
    return true;
  }

  /**
   * Goes to the entry of `series`, whose labels are all in front, and remembers it as the successor of the one before.
   * If there is none, `make` makes it. It is used once and not kept if its bucket is full or the store does not take it.
   */
  find(position: CachePosition, series: SeriesBytes, make: (series: SeriesBytes) => EntryBuilder): void {
    this.#store.countTime(this.#predicted + this.#found + this.#missed);
    const previous = position.slot;
    const hash = hashBytes(this.#seed, series.view, series.start, series.labelsEnd);
    let passed = 0;
    for (
      let slot = this.#buckets[hash & (this.#buckets.length - 1)]!;
      slot !== NONE;
      slot = this.#chain[slot]!
    ) {
      if (this.#hash[slot] === hash && this.#store.goToMatch(position, slot, series)) {
        if (previous >= 0) this.#successor[previous] = slot;
        this.#found++;
        return;
      }
      passed++;
    }
    this.#missed++;
    const entry = make(series);
    if (passed < MOST_IN_BUCKET && this.#store.add(position, entry)) {
      this.#link(position.slot, hash);
      if (previous >= 0) this.#successor[previous] = position.slot;
    } else {
      this.#unkept++;
      position.goTo(NONE, entry.words, entry.view, 0);
    }
  }

  #link(slot: number, hash: number): void {
    // The store uses a slot for the first time only when all those before it are in use.
    if (slot === this.#hash.length) this.#growTables(slot, this.#store.slots);
    const bucket = hash & (this.#buckets.length - 1);
    this.#hash[slot] = hash;
    this.#chain[slot] = this.#buckets[bucket]!;
    this.#buckets[bucket] = slot;
    this.#successor[slot] = NONE;
  }

  #unlink(slot: number): void {
    const bucket = this.#hash[slot]! & (this.#buckets.length - 1);
    let before = NONE;
    for (let at = this.#buckets[bucket]!; at !== slot; at = this.#chain[at]!) before = at;
    if (before === NONE) this.#buckets[bucket] = this.#chain[slot]!;
    else this.#chain[before] = this.#chain[slot]!;
    this.#successor[slot] = NONE;
  }

  /** @param used slots from 0 on that are linked */
  #growTables(used: number, slots: number): void {
    this.#hash = grown(this.#hash, slots);
    this.#chain = grown(this.#chain, slots);
    this.#successor = grown(this.#successor, slots);
    this.#buckets = new Int32Array(slots).fill(NONE);
    for (let slot = 0; slot < used; slot++) {
      const bucket = this.#hash[slot]! & (slots - 1);
      this.#chain[slot] = this.#buckets[bucket]!;
      this.#buckets[bucket] = slot;
    }
  }
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
