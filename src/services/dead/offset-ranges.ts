/** A set of offsets, kept as ranges: adjacent letters cost as much as one. */
export class OffsetRanges {
  /** First and last offset of each range, both included; ascending and disjoint once `#sorted`. */
  #ranges: [bigint, bigint][] = [];
  #sorted = true;

  /** Adds `first` to `last`, both included. */
  add(first: bigint, last: bigint = first): void {
    const end = this.#ranges.at(-1);
    if (end !== undefined && first === end[1] + 1n) end[1] = last;
    else {
      if (end !== undefined && first <= end[1]) this.#sorted = false;
      this.#ranges.push([first, last]);
    }
  }

  has(offset: bigint): boolean {
    this.#sort();
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ranges[middle]![1] < offset) low = middle + 1;
      else high = middle;
    }
    const found = this.#ranges[low];
    return found !== undefined && found[0] <= offset;
  }

  /** The ranges in ascending order. */
  get ranges(): readonly (readonly [bigint, bigint])[] {
    this.#sort();
    return this.#ranges;
  }

  #sort(): void {
    if (this.#sorted) return;
    const merged: [bigint, bigint][] = [];
    for (const [first, last] of this.#ranges.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
      const end = merged.at(-1);
      if (end === undefined || first > end[1] + 1n) merged.push([first, last]);
      else if (last > end[1]) end[1] = last;
    }
    this.#ranges = merged;
    this.#sorted = true;
  }
}
