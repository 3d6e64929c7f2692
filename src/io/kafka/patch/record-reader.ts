/** Most bytes of a varint and a varlong (Kafka's `ByteUtils`, which refuses longer ones as this does). */
const VARINT_BYTES = 5;
const VARLONG_BYTES = 10;
/**
 * Most distinct headers kept of a record; further ones are only counted. Each costs an object, a batch could bring
 * millions, and Penstock uses some ten.
 */
export const MOST_HEADERS = 10_000;

/** Values by name, without a prototype. Of several headers with one name the last counts. */
export type ReadHeaders = Record<string, Buffer | null>;

export const NO_HEADERS: ReadHeaders = Object.freeze(Object.create(null));

/** The fixed fields of a record, without key, value and headers. */
export interface RecordFrame {
  /** Bytes behind the length field. */
  readonly bytes: number;
  readonly timestampDelta: number | bigint;
  readonly offsetDelta: number;
  readonly headerCount: number;
}

/**
 * Reads records one after the other. Checks every length and count against the bytes there are: a valid checksum does
 * not make its writer trustworthy.
 */
export class RecordReader {
  readonly bytes: Buffer;
  readonly #limit: number;
  position: number;
  #end = 0;
  #keyAt = 0;
  #keyBytes = 0;
  #valueAt = 0;
  #valueBytes = 0;
  #headersAt = 0;

  /** Reads the records in `[position, limit)`. */
  constructor(bytes: Buffer, position: number, limit: number) {
    this.bytes = bytes;
    this.position = position;
    this.#limit = limit;
  }

  /** Bytes left after the last record read. */
  get left(): number {
    return this.#limit - this.position;
  }

  /** Reads a record up to its headers. `key`, `value` and `headers` refer to the record last read. */
  frame(): RecordFrame {
    this.#end = this.#limit;
    const bytes = this.#varint();
    const start = this.position;
    if (bytes < 0 || start + bytes > this.#limit)
      throw new Error(`a record of ${bytes} bytes passes its end`);
    this.#end = start + bytes;
    this.position += 1; // attributes, of which there are none yet
    const timestampDelta = this.#varlong();
    const offsetDelta = this.#varint();
    this.#keyBytes = this.#varint();
    this.#keyAt = this.#skip(this.#keyBytes);
    this.#valueBytes = this.#varint();
    this.#valueAt = this.#skip(this.#valueBytes);
    const headerCount = this.#varint();
    if (headerCount < 0) throw new Error(`a record with ${headerCount} headers`);
    if (headerCount > this.#end - this.position)
      throw new Error(`${headerCount} headers pass the end of a record`);
    this.#headersAt = this.position;
    return { bytes, timestampDelta, offsetDelta, headerCount };
  }

  /** Skips the record's headers, and checks that the record ends with them. */
  finish(headerCount: number): void {
    for (let left = headerCount; left > 0; left--) {
      const nameBytes = this.#varint();
      if (nameBytes < 0) throw new Error(`a header's name of ${nameBytes} bytes`);
      this.#skip(nameBytes);
      this.#skip(this.#varint());
    }
    if (this.position !== this.#end)
      throw new Error(`a record ends ${this.#end - this.position} bytes before its end`);
  }

  /** Skips the rest of the record last read. */
  pass(): void {
    this.position = this.#end;
  }

  key(): Buffer | null {
    return this.#keyBytes < 0 ? null : this.bytes.subarray(this.#keyAt, this.#keyAt + this.#keyBytes);
  }

  value(): Buffer | null {
    return this.#valueBytes < 0 ? null : this.bytes.subarray(this.#valueAt, this.#valueAt + this.#valueBytes);
  }

  /** Headers of a checked record, and how many were left out. */
  headers(count: number): { headers: ReadHeaders; leftOut: number } {
    if (count === 0) return { headers: NO_HEADERS, leftOut: 0 };
    const headers: ReadHeaders = Object.create(null);
    const { bytes } = this;
    let names = 0;
    let leftOut = 0;
    this.position = this.#headersAt;
    for (let left = count; left > 0; left--) {
      const nameBytes = this.#varint();
      const name = bytes.toString('utf8', this.position, this.position + nameBytes);
      this.position += nameBytes;
      const valueBytes = this.#varint();
      const start = this.#skip(valueBytes);
      if (names >= MOST_HEADERS && !(name in headers)) {
        leftOut += 1;
        continue;
      }
      if (!(name in headers)) names += 1;
      headers[name] = valueBytes < 0 ? null : bytes.subarray(start, this.position);
    }
    return { headers, leftOut };
  }

  /** Skips a field; a negative length means null. @returns its start */
  #skip(bytes: number): number {
    const start = this.position;
    if (bytes > 0) this.position += bytes;
    if (this.position > this.#end) throw new Error('a field passes the end of its record');
    return start;
  }

  #varint(): number {
    let value = 0;
    let byte: number;
    let shift = 0;
    do {
      if (this.position >= this.#end || shift >= VARINT_BYTES * 7) throw badVarint(shift, VARINT_BYTES);
      byte = this.bytes[this.position++]!;
      value |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte >= 0x80);
    return (value >>> 1) ^ -(value & 1);
  }

  #varlong(): number | bigint {
    const start = this.position;
    let value = 0;
    let byte: number;
    let scale = 1;
    do {
      if (this.position >= this.#end || this.position - start >= VARLONG_BYTES)
        throw badVarint((this.position - start) * 7, VARLONG_BYTES);
      byte = this.bytes[this.position++]!;
      value += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte >= 0x80);
    if (value > Number.MAX_SAFE_INTEGER) return this.#large(start);
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #large(start: number): bigint {
    let value = 0n;
    let shift = 0n;
    for (let at = start; at < this.position; at++) {
      value |= BigInt(this.bytes[at]! & 0x7f) << shift;
      shift += 7n;
    }
    value = BigInt.asUintN(64, value);
    return (value >> 1n) ^ -(value & 1n);
  }
}

function badVarint(shift: number, most: number): Error {
  const isLong = shift >= most * 7;
  return new Error(isLong ? `a number of more than ${most} bytes` : 'a field passes the end of its record');
}
