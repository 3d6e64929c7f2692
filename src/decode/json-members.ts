import { BACKSLASH, find, Scratch } from './byte-text.ts';
import { visitMembers } from './json-scan.ts';
import { unescapeJson } from './json-text.ts';

/** Finds the members of an object that a decoder wants. Where a key is repeated the first counts. */
export class Members {
  readonly #names: readonly Buffer[];
  readonly #found: number[];
  readonly #key = new Scratch();

  constructor(names: readonly string[]) {
    this.#names = names.map((name) => Buffer.from(name));
    this.#found = names.map(() => -1);
  }

  /** Where the value of each wanted member begins, -1 where there is none, in the order of the names. */
  get found(): readonly number[] {
    return this.#found;
  }

  /** Walks the object at `start`. Returns its end, or -1 where it is malformed. */
  find(bytes: Buffer, start: number, end: number): number {
    this.#found.fill(-1);
    let hasEscapes = false;
    const stop = visitMembers(bytes, start, end, (keyStart, keyEnd, valueStart) => {
      if (find(bytes, keyStart, keyEnd, BACKSLASH) >= 0) hasEscapes = true;
      else this.#keep(bytes, keyStart, keyEnd, valueStart);
    });
    // Keys with escapes count only where no plain one is there.
    if (hasEscapes) {
      visitMembers(bytes, start, end, (keyStart, keyEnd, valueStart) => {
        if (!unescapeJson(this.#key, bytes, keyStart, keyEnd)) return;
        this.#keep(this.#key.bytes, 0, this.#key.length, valueStart);
      });
    }
    return stop;
  }

  #keep(key: Buffer, start: number, end: number, valueStart: number): void {
    for (let i = 0; i < this.#names.length; i++) {
      const name = this.#names[i]!;
      if (this.#found[i]! < 0 && isText(key, start, end, name)) {
        this.#found[i] = valueStart;
      }
    }
  }
}

function isText(bytes: Uint8Array, start: number, end: number, text: Uint8Array): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text[i]) return false;
  return true;
}
