/** Counts, by kind, what a record had and a remote write 1.0 series has no place for. */
export class Uncarried {
  #counts: Record<string, number> | undefined;

  add(kind: string, count = 1): void {
    this.#counts ??= {};
    this.#counts[kind] = (this.#counts[kind] ?? 0) + count;
  }

  /** For spreading into a `Decoded`: nothing where nothing was counted. */
  get field(): { uncarried?: Readonly<Record<string, number>> } {
    return this.#counts === undefined ? {} : { uncarried: this.#counts };
  }
}
