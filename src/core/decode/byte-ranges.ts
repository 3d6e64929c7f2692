/** Largest array that `clear` keeps, in entries. */
const KEPT_POSITIONS = 256 * 1024;

/** A growing list of `[start, end)` positions in one body: 8 bytes each, since a body may hold very many. */
export class ByteRanges {
  #positions = new Uint32Array(64);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  clear(): void {
    this.#count = 0;
    // One huge record must not hold its memory forever.
    if (this.#positions.length > KEPT_POSITIONS) this.#positions = new Uint32Array(64);
  }

  add(start: number, end: number): void {
    const at = this.#count * 2;
    if (at === this.#positions.length) {
      const grown = new Uint32Array(at * 2);
      grown.set(this.#positions);
      this.#positions = grown;
    }
    this.#positions[at] = start;
    this.#positions[at + 1] = end;
    this.#count++;
  }

  start(index: number): number {
    return this.#positions[index * 2]!;
  }

  end(index: number): number {
    return this.#positions[index * 2 + 1]!;
  }
}
