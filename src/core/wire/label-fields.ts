import { copyBytes, viewOf } from './bytes.ts';
import { TAG_FIELD_1 } from './write-request.ts';

/**
 * Label fields of a TimeSeries, encoded one after the other, for text decoders: they have labels as ranges of bytes and
 * never make strings of them. One instance is cleared and filled again for each series.
 */
export class LabelFields {
  bytes = new Uint8Array(1024);
  #view = viewOf(this.bytes);
  /** Bytes in use. */
  length = 0;

  clear(): void {
    this.length = 0;
    // One huge record must not hold its memory for ever.
    if (this.bytes.length > KEPT_BYTES) {
      this.bytes = new Uint8Array(1024);
      this.#view = viewOf(this.bytes);
    }
  }

  /** Appends a label: its name is `name[nameStart, nameEnd)`, its value `value[valueStart, valueEnd)`. */
  label(
    name: Uint8Array,
    nameStart: number,
    nameEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const nameLength = nameEnd - nameStart;
    const valueLength = valueEnd - valueStart;
    // The usual label: every length fits one byte.
    let size = nameLength + valueLength + 4;
    if (size >= 0x80) size += lengthBytes(nameLength) + lengthBytes(valueLength) - 2;
    const needed = this.length + size + 6;
    if (needed > this.bytes.length) this.#grow(needed);
    const bytes = this.bytes;
    let at = this.length;
    bytes[at++] = TAG_FIELD_1;
    at = writeLength(bytes, at, size);
    bytes[at++] = 0x0a;
    at = writeLength(bytes, at, nameLength);
    for (let i = nameStart; i < nameEnd; i++) bytes[at++] = name[i]!;
    bytes[at++] = 0x12;
    at = writeLength(bytes, at, valueLength);
    for (let i = valueStart; i < valueEnd; i++) bytes[at++] = value[i]!;
    this.length = at;
  }

  /** Appends a label of whole buffers. */
  add(name: Uint8Array, value: Uint8Array): void {
    this.label(name, 0, name.length, value, 0, value.length);
  }

  /** Appends the fields of `other`. */
  append(other: LabelFields): void {
    const needed = this.length + other.length;
    if (needed > this.bytes.length) this.#grow(needed);
    this.bytes.set(other.bytes.subarray(0, other.length), this.length);
    this.length = needed;
  }

  /** Copies the fields to `target` at `at`. */
  copyTo(target: DataView, at: number): void {
    copyBytes(this.#view, 0, target, at, this.length);
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.#view = viewOf(grown);
  }
}

/** Largest buffer that `clear` keeps. */
const KEPT_BYTES = 1024 * 1024;

/** Bytes that a length takes as a varint. */
function lengthBytes(length: number): number {
  let count = 1;
  for (let rest = length; rest >= 0x80; rest >>>= 7) count++;
  return count;
}

function writeLength(bytes: Uint8Array, at: number, length: number): number {
  let rest = length;
  let position = at;
  while (rest >= 0x80) {
    bytes[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[position++] = rest;
  return position;
}
