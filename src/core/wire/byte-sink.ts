import { copyBytes, KEPT_BYTES, viewOf } from './bytes.ts';
import { varintLength } from './write-request-builder.ts';

/** Most bytes that a varint of up to 53 bits takes. */
const VARINT_BYTES = 8;

/** A buffer that grows as bytes are put at its end. */
export class ByteSink {
  bytes: Buffer;
  /** View of all of `bytes`. */
  view: DataView;
  /** Bytes written. Setting it back takes the last ones off again. */
  length = 0;
  readonly #capacity: number;

  constructor(capacity = 256) {
    this.#capacity = capacity;
    this.bytes = Buffer.allocUnsafeSlow(capacity);
    this.view = viewOf(this.bytes);
  }

  /** Empties the sink, and replaces a buffer that has grown too large to be kept. */
  clear(): void {
    this.length = 0;
    if (this.bytes.length > KEPT_BYTES) this.#allocate(this.#capacity);
  }

  /** Makes room for `extra` more bytes. */
  reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.bytes.length) return;
    const old = this.bytes;
    this.#allocate(Math.max(needed, old.length * 2));
    old.copy(this.bytes, 0, 0, this.length);
  }

  #allocate(size: number): void {
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.view = viewOf(this.bytes);
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  varint(value: number): void {
    this.reserve(VARINT_BYTES);
    this.#putVarint(value);
  }

  /** Writes a varint where there is room for it. */
  #putVarint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.length++] = rest;
  }

  /** Appends `length` bytes of `from` at `start`. */
  copy(from: DataView, start: number, length: number): void {
    this.reserve(length);
    copyBytes(from, start, this.view, this.length, length);
    this.length += length;
  }

  /** Appends the head of a length-delimited field: tag byte and length. */
  head(tag: number, length: number): void {
    this.byte(tag);
    this.varint(length);
  }

  /** Appends a length-delimited field: tag byte, length, and `length` bytes of `from` at `start`. */
  field(tag: number, from: DataView, start: number, length: number): void {
    this.head(tag, length);
    this.copy(from, start, length);
  }

  /**
   * Closes a message for whose length `reserved` bytes before `contentStart` were kept free: writes the length, and
   * moves the content if it takes more or fewer bytes.
   */
  closeMessage(contentStart: number, reserved: number): void {
    const size = this.length - contentStart;
    const width = varintLength(size);
    if (width > reserved) {
      this.reserve(width - reserved);
      this.bytes.copyWithin(contentStart + width - reserved, contentStart, this.length);
    } else if (width < reserved) {
      this.bytes.copyWithin(contentStart + width - reserved, contentStart, this.length);
    }
    this.length = contentStart - reserved;
    // No reserve here: a larger buffer would get the bytes before the content only.
    this.#putVarint(size);
    this.length += size;
  }

  /** A copy of the bytes written; the sink is empty afterwards. */
  finish(): Buffer {
    const bytes = Buffer.from(this.bytes.subarray(0, this.length));
    this.length = 0;
    return bytes;
  }
}
