/** Counts, by kind, the parts of a record that a remote write 1.0 series cannot carry. */
export class Uncarried {
  #counts: Record<string, number> | undefined;

  add(kind: string, count = 1): void {
    this.#counts ??= {};
    this.#counts[kind] = (this.#counts[kind] ?? 0) + count;
  }

  /** For spreading into a `Decoded`: empty if nothing was counted. */
  get field(): { uncarried?: Readonly<Record<string, number>> } {
    return this.#counts === undefined ? {} : { uncarried: this.#counts };
  }
}
