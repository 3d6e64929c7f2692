import { errorMessage } from '../../model/errors.ts';
import { UnreadableBatchError } from '../errors.ts';
import { crc32c } from './crc32c.ts';
import type { RawMessage } from './types.ts';

/** Magic byte of record batches as Kafka has them since 0.11, and where it is in a batch, as in the formats before. */
export const MAGIC = 2;
export const MAGIC_AT = 16;
/** Base offset and length, in front of what the length counts. */
const BATCH_HEAD_BYTES = 12;
/** Up to the first record: offset, length, epoch, magic, checksum, attributes, … number of records. */
export const BATCH_HEADER_BYTES = 61;
const CHECKSUM_AT = 17;
const ATTRIBUTES_AT = 21;
const CODEC_MASK = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

/** A record as kafkajs hands it around, with what is asked of it here and there. */
export interface DecodedMessage extends RawMessage {
  readonly value: Buffer | null;
  /** Milliseconds since the epoch, as decimal. */
  readonly timestamp: string;
  readonly headers: Record<string, Buffer | null | (Buffer | null)[]>;
}

/** kafkajs' table of codecs: the one of a batch's attributes, null where it is not compressed. */
export type LookupCodec = (attributes: number) => { decompress(data: Buffer): Promise<Buffer> } | null;

/** End of the batch that begins at `at` of `set`; beyond the end of `set` where it was cut off. */
export function batchEnd(set: Buffer, at: number): number {
  const length = set.readInt32BE(at + 8);
  const end = at + BATCH_HEAD_BYTES + length;
  if (end < at + BATCH_HEADER_BYTES) throw unreadable(set, at, `its length is ${length}`);
  return end;
}

/**
 * Appends the records of the batch in `[at, end)` of `set`. A checksum is wrong where bytes have changed on a disk or a
 * wire; all lengths are held against what there is, since a checksum says nothing about who has written them.
 *
 * @returns whether they lie in `set` itself, and not in memory of a codec
 * @throws UnreadableBatchError, with nothing appended
 */
export async function decodeBatch(
  set: Buffer,
  at: number,
  end: number,
  lookupCodec: LookupCodec,
  into: DecodedMessage[],
): Promise<boolean> {
  const before = into.length;
  try {
    if (set[at + MAGIC_AT] !== MAGIC) throw new Error(`its format is ${set[at + MAGIC_AT]}`);
    if (crc32c(set.subarray(at + ATTRIBUTES_AT, end)) !== set.readUInt32BE(at + CHECKSUM_AT))
      throw new Error('its checksum is wrong');
    const codec = lookupCodec(set.readInt16BE(at + ATTRIBUTES_AT) & CODEC_MASK);
    if (codec === null) {
      decodeRecords(set, at, new RecordReader(set, at + BATCH_HEADER_BYTES, end), into);
      return true;
    }
    const records = await codec.decompress(set.subarray(at + BATCH_HEADER_BYTES, end));
    decodeRecords(set, at, new RecordReader(records, 0, records.length), into);
    return false;
  } catch (error) {
    into.length = before;
    throw unreadable(set, at, errorMessage(error), error);
  }
}

export function unreadable(set: Buffer, at: number, reason: string, cause?: unknown): UnreadableBatchError {
  return new UnreadableBatchError(`the record batch at offset ${set.readBigInt64BE(at)}: ${reason}`, {
    cause,
  });
}

function decodeRecords(set: Buffer, at: number, records: RecordReader, into: DecodedMessage[]): void {
  const attributes = set.readInt16BE(at + ATTRIBUTES_AT);
  const firstOffset = set.readBigInt64BE(at);
  const firstTimestamp = set.readBigInt64BE(at + 27);
  const maxTimestamp = String(set.readBigInt64BE(at + 35));
  const isControlRecord = (attributes & CONTROL) !== 0;
  const batchContext = {
    producerId: String(set.readBigInt64BE(at + 43)),
    inTransaction: (attributes & TRANSACTIONAL) !== 0,
  };
  const count = set.readInt32BE(at + 57);
  if (count < 0 || count > records.left) throw new Error(`${count} records in ${records.left} bytes`);
  for (let i = 0; i < count; i++) {
    records.begin();
    const timestampDelta = records.varlong();
    const offset = String(firstOffset + BigInt(records.varint()));
    into.push({
      offset,
      timestamp:
        (attributes & LOG_APPEND_TIME) === 0 ? String(firstTimestamp + BigInt(timestampDelta)) : maxTimestamp,
      key: records.bytes(),
      value: records.bytes(),
      headers: records.headers(),
      isControlRecord,
      batchContext,
    });
    records.end();
  }
}

/** Reads the fields of records, each where the one before it ends. */
class RecordReader {
  readonly #bytes: Buffer;
  readonly #limit: number;
  #position: number;
  #end = 0;

  /** Of the records in `[position, limit)`. */
  constructor(bytes: Buffer, position: number, limit: number) {
    this.#bytes = bytes;
    this.#position = position;
    this.#limit = limit;
  }

  /** Bytes behind the last record. */
  get left(): number {
    return this.#limit - this.#position;
  }

  /** Length and attributes, of which there are none yet. */
  begin(): void {
    const length = this.varint();
    this.#end = this.#position + length;
    if (length < 0 || this.#end > this.#limit) throw new Error(`a record of ${length} bytes passes its end`);
    this.#position += 1;
  }

  /** Goes on to the next record. Throws where a field of this one was longer than it. */
  end(): void {
    if (this.#position > this.#end) throw new Error('a field passes the end of its record');
    this.#position = this.#end;
  }

  varint(): number {
    let value = 0;
    let byte: number;
    let shift = 0;
    do {
      byte = this.#bytes[this.#position++]!;
      value |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte >= 0x80);
    return (value >>> 1) ^ -(value & 1);
  }

  varlong(): number | bigint {
    const start = this.#position;
    let value = 0;
    let byte: number;
    let scale = 1;
    do {
      byte = this.#bytes[this.#position++]!;
      value += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte >= 0x80);
    if (value > Number.MAX_SAFE_INTEGER) return this.#large(start);
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const start = this.#position;
    this.#position += length;
    return this.#bytes.subarray(start, this.#position);
  }

  headers(): DecodedMessage['headers'] {
    const headers: DecodedMessage['headers'] = {};
    const count = this.varint();
    if (count > this.#end - this.#position) throw new Error(`${count} headers pass the end of a record`);
    for (let left = count; left > 0; left--) {
      const length = this.varint();
      const name = this.#bytes.toString('utf8', this.#position, this.#position + length);
      this.#position += length;
      const value = this.bytes();
      const before = Object.hasOwn(headers, name) ? headers[name] : undefined;
      const all = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
      // Assigned, a header of the name __proto__ would be no header but the object's prototype.
      Object.defineProperty(headers, name, {
        value: all,
        enumerable: true,
        writable: true,
        configurable: true,
      });
    }
    return headers;
  }

  #large(start: number): bigint {
    let value = 0n;
    let shift = 0n;
    for (let at = start; at < this.#position; at++) {
      value |= BigInt(this.#bytes[at]! & 0x7f) << shift;
      shift += 7n;
    }
    return (value >> 1n) ^ -(value & 1n);
  }
}
