import { escapeInvalid } from '../../model/invalid-utf8.ts';
import { BACKSLASH, find, Scratch } from '../text/byte-text.ts';
import { typeAt, visitMembers } from './scan.ts';
import { unescapeJson } from './text.ts';
import { isMetadata } from './unknown.ts';

/** Most unknown members that are kept: messages name no more. */
const MOST_UNKNOWN = 8;

/** Finds the members of an object that a decoder wants. The first of a repeated key counts. */
export class Members {
  readonly #names: readonly Buffer[];
  readonly #found: number[];
  #unknown: string[] = [];
  readonly #key = new Scratch();

  constructor(names: readonly string[]) {
    this.#names = names.map((name) => Buffer.from(name));
    this.#found = names.map(() => -1);
  }

  /** Start of each wanted member's value, -1 if there is none, in the order of the names. */
  get found(): readonly number[] {
    return this.#found;
  }

  /** Names of the other members of the object, without empty ones and metadata. */
  get unknown(): readonly string[] {
    return this.#unknown;
  }

  /** Walks the object at `start`. Returns its end, or -1 if it is malformed. */
  find(bytes: Buffer, start: number, end: number): number {
    this.#found.fill(-1);
    if (this.#unknown.length > 0) this.#unknown = [];
    let hasEscapes = false;
    const stop = visitMembers(bytes, start, end, (keyStart, keyEnd, valueStart, valueEnd) => {
      if (find(bytes, keyStart, keyEnd, BACKSLASH) >= 0) hasEscapes = true;
      else if (!this.#keep(bytes, keyStart, keyEnd, valueStart)) {
        if (!isEmpty(bytes, valueStart, valueEnd)) this.#pass(bytes, keyStart, keyEnd);
      }
    });
    // Keys with escapes count only if there is no plain one.
    if (hasEscapes) {
      visitMembers(bytes, start, end, (keyStart, keyEnd, valueStart, valueEnd) => {
        if (!unescapeJson(this.#key, bytes, keyStart, keyEnd)) return;
        if (this.#keep(this.#key.bytes, 0, this.#key.length, valueStart)) return;
        if (!isEmpty(bytes, valueStart, valueEnd)) this.#pass(this.#key.bytes, 0, this.#key.length);
      });
    }
    return stop;
  }

  /** Whether the key is a wanted one. */
  #keep(key: Buffer, start: number, end: number, valueStart: number): boolean {
    for (let i = 0; i < this.#names.length; i++) {
      if (!isText(key, start, end, this.#names[i]!)) continue;
      if (this.#found[i]! < 0) this.#found[i] = valueStart;
      return true;
    }
    return false;
  }

  #pass(key: Buffer, start: number, end: number): void {
    if (this.#unknown.length === MOST_UNKNOWN) return;
    const name = escapeInvalid(key.subarray(start, end));
    if (!isMetadata(name)) this.#unknown.push(name);
  }
}

/** Whether a value is `""`, `[]`, `{}` or `null`. */
function isEmpty(bytes: Buffer, start: number, end: number): boolean {
  const size = end - start;
  if (size !== 2) return size === 4 && typeAt(bytes, start) === 'null';
  const type = typeAt(bytes, start);
  return type === 'string' || type === 'array' || type === 'object';
}

function isText(bytes: Uint8Array, start: number, end: number, text: Uint8Array): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text[i]) return false;
  return true;
}
