/** A set of rounds, one bit each: as sets of numbers hundreds of long series would not fit into memory. */
export class RoundSet {
  size = 0;
  #bits = new Uint8Array(64);

  /** False for numbers that are no rounds. */
  has(round: number): boolean {
    const bits = this.#bits[Math.floor(round / 8)] ?? 0;
    return Number.isInteger(round) && (bits & (1 << (round & 7))) !== 0;
  }

  /** @param round 0 or more, below 2^31 */
  add(round: number): void {
    if (this.has(round)) return;
    const at = round >> 3;
    if (at >= this.#bits.length) {
      const grown = new Uint8Array(Math.max(at + 1, this.#bits.length * 2));
      grown.set(this.#bits);
      this.#bits = grown;
    }
    this.#bits[at]! |= 1 << (round & 7);
    this.size += 1;
  }
}
