import { giveBack, lend } from '../../wire/memory.ts';
import type { Decoder, RawMessage } from './types.ts';

/** Magic byte of record batches as Kafka has them since 0.11, and where it is in a batch, as in the formats before. */
const MAGIC = 2;
const MAGIC_AT = 16;
/** Base offset and length, in front of what the length counts. */
const BATCH_HEAD_BYTES = 12;
/** Up to the first record: offset, length, epoch, magic, checksum, attributes, … number of records. */
const BATCH_HEADER_BYTES = 61;
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

/** What of kafkajs is needed for batches that are compressed, or older than Kafka 0.11. */
export interface OriginalFormats {
  readonly decodeMessages: (decoder: Decoder) => Promise<DecodedMessage[]>;
  readonly Decoder: new (buffer: Buffer) => Decoder;
  readonly lookupCodec: (type: number) => { decompress(data: Buffer): Promise<Buffer> } | null;
}

const ownMemory = new WeakMap<object, Buffer>();

/** The memory that holds all of these messages and nothing else, if there is such; kafkajs' `Batch.rawMessages`. */
export function memoryOf(rawMessages: object): Buffer | undefined {
  return ownMemory.get(rawMessages);
}

/**
 * The records of one partition in a fetch response, versions 4 to 11 (Kafka protocol, record batch v2).
 *
 * Replaces kafkajs' `decodeMessages`. The record set is copied out of the response in one go: so what comes for one
 * partition does not keep alive what came for others, and its memory can be given back when its records are done.
 * Its twin is kafkajs' own (test/unit/kafka/record-set.test.ts). A batch that is cut off at the end is left for the
 * next fetch, as there.
 */
export function recordSetDecoder(formats: OriginalFormats) {
  return async (decoder: Decoder): Promise<DecodedMessage[]> => {
    const size = decoder.readInt32();
    if (size <= 0 || !decoder.canReadBytes(size)) return [];
    if (size <= MAGIC_AT) {
      decoder.readBytes(size);
      return []; // not even the beginning of a batch
    }
    const bytes = lend(size);
    bytes.set(decoder.readBytes(size));
    if (bytes[MAGIC_AT] !== MAGIC) return decodeOld(bytes, formats);
    const messages: DecodedMessage[] = [];
    let plain = 0;
    let packed = 0;
    for (let at = 0; at + BATCH_HEADER_BYTES <= size; ) {
      const end = at + BATCH_HEAD_BYTES + bytes.readInt32BE(at + 8);
      if (end > size) break;
      const codec = formats.lookupCodec(bytes.readInt16BE(at + 21) & CODEC_MASK);
      if (codec === null) {
        plain += 1;
        decodeBatch(bytes, at, new RecordReader(bytes, at + BATCH_HEADER_BYTES), messages);
      } else {
        packed += 1;
        const records = await codec.decompress(bytes.subarray(at + BATCH_HEADER_BYTES, end));
        decodeBatch(bytes, at, new RecordReader(records, 0), messages);
      }
      at = end;
    }
    if (packed === 0) ownMemory.set(messages, bytes);
    else if (plain === 0) giveBack(bytes);
    return messages;
  };
}

async function decodeOld(
  bytes: Buffer,
  { decodeMessages, Decoder }: OriginalFormats,
): Promise<DecodedMessage[]> {
  const sized = Buffer.alloc(4 + bytes.length);
  sized.writeInt32BE(bytes.length);
  sized.set(bytes, 4);
  giveBack(bytes);
  return decodeMessages(new Decoder(sized));
}

/** Appends the records of the batch that begins at `at` of `set`. */
function decodeBatch(set: Buffer, at: number, records: RecordReader, into: DecodedMessage[]): void {
  if (set[at + MAGIC_AT] !== MAGIC) throw new Error(`a record batch of format ${set[at + MAGIC_AT]}`);
  const attributes = set.readInt16BE(at + 21);
  const firstOffset = set.readBigInt64BE(at);
  const firstTimestamp = set.readBigInt64BE(at + 27);
  const maxTimestamp = String(set.readBigInt64BE(at + 35));
  const isControlRecord = (attributes & CONTROL) !== 0;
  const batchContext = {
    producerId: String(set.readBigInt64BE(at + 43)),
    inTransaction: (attributes & TRANSACTIONAL) !== 0,
  };
  const count = set.readInt32BE(at + 57);
  for (let i = 0; i < count; i++) {
    const end = records.begin();
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
    records.position = end;
  }
}

/** Reads the fields of records, each where the one before it ends. */
class RecordReader {
  readonly #bytes: Buffer;
  position: number;

  constructor(bytes: Buffer, position: number) {
    this.#bytes = bytes;
    this.position = position;
  }

  /** Length and attributes, of which there are none yet. @returns where the record ends */
  begin(): number {
    const length = this.varint();
    const end = this.position + length;
    this.position += 1;
    return end;
  }

  varint(): number {
    let value = 0;
    let byte: number;
    let shift = 0;
    do {
      byte = this.#bytes[this.position++]!;
      value |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte >= 0x80);
    return (value >>> 1) ^ -(value & 1);
  }

  varlong(): number | bigint {
    const start = this.position;
    let value = 0;
    let byte: number;
    let scale = 1;
    do {
      byte = this.#bytes[this.position++]!;
      value += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte >= 0x80);
    if (value > Number.MAX_SAFE_INTEGER) return this.#large(start);
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const start = this.position;
    this.position += length;
    return this.#bytes.subarray(start, this.position);
  }

  headers(): DecodedMessage['headers'] {
    const headers: DecodedMessage['headers'] = {};
    for (let left = this.varint(); left > 0; left--) {
      const length = this.varint();
      const name = this.#bytes.toString('utf8', this.position, this.position + length);
      this.position += length;
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
    for (let at = start; at < this.position; at++) {
      value |= BigInt(this.#bytes[at]! & 0x7f) << shift;
      shift += 7n;
    }
    return (value >> 1n) ^ -(value & 1n);
  }
}

export interface ResponseFormat {
  decode(payload: Buffer): Promise<unknown>;
}

/** A fetch response's definition that gives its memory back once it is decoded: records have been copied out of it. */
export function releasingResponse(original: ResponseFormat): ResponseFormat {
  return {
    ...original,
    decode: async (payload: Buffer) => {
      const decoded = await original.decode(payload);
      giveBack(payload);
      return decoded;
    },
  };
}
