const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

/**
 * Seeded random numbers, the same on every machine: a Weyl sequence through MurmurHash3's 32-bit finalizer.
 * Good enough for made-up traffic, for nothing else.
 */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32;
  }

  /** In [low, high). */
  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  /** A whole number in [low, high]. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** `mean` rounded up or down at random, so that the average is `mean`. */
  round(mean: number): number {
    return Math.floor(mean + this.next());
  }

  /** Letters and digits as in the names of Kubernetes' pods. */
  letters(count: number): string {
    return Array.from({ length: count }, () => LETTERS[this.integer(0, LETTERS.length - 1)]).join('');
  }
}
