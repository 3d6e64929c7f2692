/** Random numbers that a seed and an index fix (xorshift32 on a mixed start): each input can be made alone. */
export class Random {
  #state: number;

  constructor(seed: number, index: number) {
    let mixed = Math.imul(seed ^ Math.imul(index + 1, 0x9e3779b1), 0x85ebca6b);
    mixed ^= mixed >>> 13;
    mixed = Math.imul(mixed, 0xc2b2ae35);
    this.#state = (mixed ^ (mixed >>> 16)) | 1;
    for (let i = 0; i < 4; i++) this.next();
  }

  /** From 0 to 2^32 - 1. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    return this.next() % below;
  }

  /** A whole number from `low` to `high`. */
  integer(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(of: number): boolean {
    return this.below(of) === 0;
  }

  /** A fraction from 0 to less than 1. */
  fraction(): number {
    return this.next() / 2 ** 32;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** Of every size up to `most` equally often, by its logarithm. */
  size(most: number): number {
    return Math.floor(Math.exp(this.fraction() * Math.log(most + 1)));
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; at++) bytes[at] = this.next() >>> 24;
    return bytes;
  }
}
