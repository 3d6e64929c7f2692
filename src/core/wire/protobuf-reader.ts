import { PoisonError } from '../model/errors.ts';

/** Wire types of protobuf's encoding (protobuf.dev/programming-guides/encoding). */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const START_GROUP = 3;
export const END_GROUP = 4;
export const FIXED32 = 5;

/** Deepest nesting of groups; a message with more is refused. */
const MAX_GROUP_DEPTH = 32;

export function malformed(message: string): PoisonError {
  return new PoisonError('decode', 'protobuf', message);
}

/**
 * Reads protobuf fields one after another. Plain and complete; the hot path does without it.
 *
 * `next()` reads a tag; then exactly one of the value methods, or `skip()`, has to follow.
 * Every method throws PoisonError `protobuf` where the bytes are truncated or not protobuf.
 */
export class ProtobufReader {
  readonly bytes: Uint8Array;
  /** Index of the next byte to read. */
  position: number;
  /** Index of the first byte that is not part of this message. */
  readonly end: number;
  /** Index of the tag of the field that `next` read last. */
  fieldStart = 0;
  field = 0;
  wireType = 0;

  constructor(bytes: Uint8Array, position = 0, end = bytes.length) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
  }

  /** Reads the next tag. False at the end of the message. */
  next(): boolean {
    if (this.position >= this.end) return false;
    this.fieldStart = this.position;
    const tag = this.varint();
    if (tag > 0xffffffff) throw malformed(`field tag ${tag} at byte ${this.fieldStart} is out of range`);
    this.field = Math.floor(tag / 8);
    this.wireType = tag % 8;
    if (this.field === 0) throw malformed(`field number 0 at byte ${this.fieldStart}`);
    return true;
  }

  /** A varint as a number: exact up to 2^53, rounded above, where only its size matters. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.position >= this.end) throw malformed(`truncated varint at byte ${this.position}`);
      const byte = this.bytes[this.position++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw malformed(`varint longer than 10 bytes at byte ${this.position}`);
  }

  /** A varint as a signed 64-bit integer (protobuf's int64). */
  int64(): bigint {
    // Fast path: times in ms take six bytes, and a number holds seven at a fraction of a bigint's cost.
    const start = this.position;
    let low = 0;
    for (let i = 0, scale = 1; i < 7 && this.position < this.end; i++, scale *= 128) {
      const byte = this.bytes[this.position++]!;
      low += (byte & 0x7f) * scale;
      if (byte < 0x80) return BigInt(low);
    }
    this.position = start;
    let value = 0n;
    let shift = 0n;
    for (let i = 0; i < 10; i++) {
      if (this.position >= this.end) throw malformed(`truncated varint at byte ${this.position}`);
      const byte = this.bytes[this.position++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
      shift += 7n;
    }
    throw malformed(`varint longer than 10 bytes at byte ${this.position}`);
  }

  double(): number {
    const start = this.#take(8);
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + start, 8).getFloat64(0, true);
  }

  /** Start of a length-delimited value; it ends at `position`. */
  block(): number {
    const length = this.varint();
    return this.#take(length);
  }

  /** A reader of the message in a length-delimited value. */
  message(): ProtobufReader {
    const start = this.block();
    return new ProtobufReader(this.bytes, start, this.position);
  }

  /** Throws unless the field just read has this wire type. */
  expect(wireType: number, what: string): void {
    if (this.wireType !== wireType) {
      throw malformed(`${what} at byte ${this.fieldStart} has wire type ${this.wireType}, not ${wireType}`);
    }
  }

  /** Skips the value of the field just read, groups included. */
  skip(depth = 0): void {
    switch (this.wireType) {
      case VARINT:
        this.varint();
        return;
      case FIXED64:
        this.#take(8);
        return;
      case BYTES:
        this.block();
        return;
      case FIXED32:
        this.#take(4);
        return;
      case START_GROUP:
        this.#skipGroup(this.field, depth + 1);
        return;
      default:
        throw malformed(`wire type ${this.wireType} of field ${this.field} at byte ${this.fieldStart}`);
    }
  }

  #skipGroup(field: number, depth: number): void {
    if (depth > MAX_GROUP_DEPTH) throw malformed(`groups nest deeper than ${MAX_GROUP_DEPTH}`);
    while (this.next()) {
      if (this.wireType === END_GROUP) {
        if (this.field !== field) throw malformed(`group ${field} is ended by field ${this.field}`);
        return;
      }
      this.skip(depth);
    }
    throw malformed(`group ${field} has no end`);
  }

  #take(length: number): number {
    const start = this.position;
    if (length > this.end - start) {
      throw malformed(`truncated: ${length} bytes wanted at byte ${start}, ${this.end - start} left`);
    }
    this.position = start + length;
    return start;
  }
}
