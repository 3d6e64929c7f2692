import { createRequire } from 'node:module';
import { errorMessage } from '../../../core/model/errors.ts';
import { UnreadableBatchError } from '../errors.ts';
import { HEADER_OVERHEAD_BYTES, RECORD_OVERHEAD_BYTES } from '../partition-queue.ts';
import { type ReadHeaders, type RecordFrame, RecordReader } from './record-reader.ts';
import type { RawMessage } from './types.ts';

const require = createRequire(import.meta.url);

/** Magic byte of record batches since Kafka 0.11, and its position, which is the same in older formats. */
export const MAGIC = 2;
export const MAGIC_AT = 16;
/** Base offset and length, which the length does not count; the same in all formats. */
export const BATCH_HEAD_BYTES = 12;
/** Up to the first record: offset, length, epoch, magic, checksum, attributes, … number of records. */
export const BATCH_HEADER_BYTES = 61;
const CHECKSUM_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const CODEC_MASK = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const MOST_OFFSET = 2n ** 63n - 1n;

/** A decoded record, in the shape that kafkajs expects. */
export interface DecodedMessage extends RawMessage {
  readonly value: Buffer | null;
  /** Milliseconds since the epoch, as decimal. */
  readonly timestamp: string;
  readonly headers: ReadHeaders;
  /** Number of headers beyond those that are kept. */
  readonly headersLeftOut: number;
}

/** kafkajs' codec lookup by a batch's attributes; null: not compressed. */
export type LookupCodec = (attributes: number) => { decompress(data: Buffer): Promise<Buffer> } | null;

/** Bounds for reading a batch. */
export interface BatchDemand {
  /** Records before this offset are skipped. */
  readonly from: bigint;
  /** Bytes of memory left for further records; reading reduces it. */
  bytes: number;
  /** Bytes that the very first record may take. */
  readonly firstBytes: number;
}

export interface DecodedBatch {
  /** True if all records from `from` on were read; else those after the last one are still to be read. */
  readonly isWhole: boolean;
  /** True if the records lie in the record set itself, not in a codec's output. */
  readonly isPlain: boolean;
}

/** Larger ones are decompressed again for each part, rather than kept. */
const HALF_READ_MOST_BYTES = 64 * 1024 * 1024;
/** Time a batch is kept, in ms: by then its partition may belong to another member. */
const HALF_READ_KEPT_MS = 10_000;

/** A compressed batch that has been checked, and of which the records from `position` on are still to be read. */
interface HalfRead {
  /** Its records, decompressed. */
  readonly bytes: Buffer;
  readonly position: number;
  /** Records from there on. */
  readonly left: number;
  /** Offset delta of the first of them. */
  readonly offsetDelta: number;
}

/**
 * Cache of the batch last read in part, one per process. A queue takes a few thousand records at a time, and a batch
 * may hold millions of a few bytes: decompressing and checking it again for each part takes time quadratic in their
 * number (half an hour for one batch of less than 1 MiB).
 */
class HalfReadBatch {
  #batch: Buffer | undefined;
  #rest: HalfRead | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Removes and returns the rest of the batch with these bytes (as fetched), if it is the cached one. */
  take(batch: Uint8Array): HalfRead | undefined {
    if (this.#batch === undefined || !this.#batch.equals(batch)) return undefined;
    const rest = this.#rest;
    this.#drop();
    return rest;
  }

  keep(batch: Uint8Array, rest: HalfRead): void {
    this.#drop();
    if (rest.bytes.length > HALF_READ_MOST_BYTES) return;
    this.#batch = Buffer.from(batch);
    this.#rest = rest;
    this.#timer = setTimeout(() => this.#drop(), HALF_READ_KEPT_MS).unref();
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#batch = this.#rest = this.#timer = undefined;
  }
}

const halfRead = new HalfReadBatch();

/**
 * CRC-32C of a record batch: native, where there is a binary of `@node-rs/crc32` for this platform, else
 * kafkajs' own, which takes some eleven times as long (docs/internals/measurements.md).
 */
export const crc32c: (bytes: Buffer) => number = load();

function load(): (bytes: Buffer) => number {
  const original = require('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number;
  try {
    const native = require('@node-rs/crc32') as { crc32c(bytes: Buffer): number };
    return (bytes) => native.crc32c(bytes) >>> 0;
  } catch {
    return original;
  }
}

/** Offset of the next batch according to this one's header; undefined if implausible. */
export function nextOffsetOf(set: Buffer, at: number): bigint | undefined {
  if (at + LAST_OFFSET_DELTA_AT + 4 > set.length) return undefined;
  const base = set.readBigInt64BE(at);
  const next = base + BigInt(set.readInt32BE(at + LAST_OFFSET_DELTA_AT)) + 1n;
  return base >= 0n && next > base && next <= MOST_OFFSET ? next : undefined;
}

/** True if `[at, end)` is a batch of this format with a correct checksum. */
export function isSound(set: Buffer, at: number, end: number): boolean {
  if (end - at < BATCH_HEADER_BYTES || end > set.length || set[at + MAGIC_AT] !== MAGIC) return false;
  return crc32c(set.subarray(at + ATTRIBUTES_AT, end)) === set.readUInt32BE(at + CHECKSUM_AT);
}

/** The checksum in the batch's header, which tells it from another batch at the same offset. */
export function checksumOf(set: Buffer, at: number): number {
  return at + CHECKSUM_AT + 4 <= set.length ? set.readUInt32BE(at + CHECKSUM_AT) : 0;
}

/**
 * Appends the wanted records of the batch in `[at, end)` of `set`. The whole batch is checked first: one that is
 * malformed anywhere yields nothing.
 *
 * @throws UnreadableBatchError, with nothing appended
 */
export async function decodeBatch(
  set: Buffer,
  at: number,
  end: number,
  lookupCodec: LookupCodec,
  demand: BatchDemand,
  into: DecodedMessage[],
): Promise<DecodedBatch> {
  const before = into.length;
  try {
    if (set[at + MAGIC_AT] !== MAGIC) throw new Error(`its format is ${set[at + MAGIC_AT]}`);
    if (!isSound(set, at, end)) throw new Error('its checksum is wrong');
    const codec = lookupCodec(set.readInt16BE(at + ATTRIBUTES_AT) & CODEC_MASK);
    const start = at + BATCH_HEADER_BYTES;
    const header = readHeader(set, at);
    if (codec === null) {
      checkRecords(header, new RecordReader(set, start, end));
      const rest = { bytes: set, position: start, left: header.count, offsetDelta: 0 };
      return { isWhole: appendRecords(header, rest, end, demand, into) === undefined, isPlain: true };
    }
    const batch = set.subarray(at, end);
    let rest = halfRead.take(batch);
    if (rest === undefined || demand.from - header.firstOffset < rest.offsetDelta) {
      const bytes = await codec.decompress(set.subarray(start, end));
      checkRecords(header, new RecordReader(bytes, 0, bytes.length));
      rest = { bytes, position: 0, left: header.count, offsetDelta: 0 };
    }
    const unread = appendRecords(header, rest, rest.bytes.length, demand, into);
    if (unread !== undefined) halfRead.keep(batch, unread);
    return { isWhole: unread === undefined, isPlain: false };
  } catch (error) {
    into.length = before;
    throw new UnreadableBatchError(
      `the record batch at offset ${set.readBigInt64BE(at)}: ${errorMessage(error)}`,
      {
        cause: error,
      },
    );
  }
}

interface BatchHeader {
  readonly firstOffset: bigint;
  readonly lastOffsetDelta: number;
  readonly firstTimestamp: bigint;
  /** Timestamp of all records (LogAppendTime); undefined: each has its own. */
  readonly appendTime: string | undefined;
  readonly isControlRecord: boolean;
  readonly batchContext: RawMessage['batchContext'];
  readonly count: number;
}

function readHeader(set: Buffer, at: number): BatchHeader {
  const attributes = set.readInt16BE(at + ATTRIBUTES_AT);
  return {
    firstOffset: set.readBigInt64BE(at),
    lastOffsetDelta: set.readInt32BE(at + LAST_OFFSET_DELTA_AT),
    firstTimestamp: set.readBigInt64BE(at + 27),
    appendTime: (attributes & LOG_APPEND_TIME) === 0 ? undefined : String(set.readBigInt64BE(at + 35)),
    isControlRecord: (attributes & CONTROL) !== 0,
    batchContext: {
      producerId: String(set.readBigInt64BE(at + 43)),
      inTransaction: (attributes & TRANSACTIONAL) !== 0,
    },
    count: set.readInt32BE(at + 57),
  };
}

/**
 * Checks all records without creating them. Refuses what Java's consumer refuses, and offsets that do not ascend or lie
 * outside of the batch, which would make that consumer repeat or skip records.
 */
function checkRecords({ count, firstOffset, lastOffsetDelta }: BatchHeader, records: RecordReader): void {
  if (count < 0 || count > records.left) throw new Error(`${count} records in ${records.left} bytes`);
  if (firstOffset < 0n || lastOffsetDelta < 0 || firstOffset + BigInt(lastOffsetDelta) >= MOST_OFFSET)
    throw new Error(`its last offset is ${firstOffset + BigInt(lastOffsetDelta)}`);
  let last = -1;
  for (let left = count; left > 0; left--) {
    const { offsetDelta, headerCount } = records.frame();
    if (offsetDelta <= last || offsetDelta > lastOffsetDelta)
      throw new Error(`a record has offset ${firstOffset + BigInt(offsetDelta)}, out of order`);
    last = offsetDelta;
    records.finish(headerCount);
  }
  if (records.left > 0) throw new Error(`${records.left} bytes follow the last of ${count} records`);
}

/** Appends checked records up to `end`. @returns those for which there was no room; undefined: none */
function appendRecords(
  header: BatchHeader,
  { bytes, position, left: count }: HalfRead,
  end: number,
  demand: BatchDemand,
  into: DecodedMessage[],
): HalfRead | undefined {
  const { firstOffset, isControlRecord, batchContext } = header;
  const firstDelta = demand.from - firstOffset;
  const records = new RecordReader(bytes, position, end);
  for (let left = count; left > 0; left--) {
    const start = records.position;
    const frame = records.frame();
    const { offsetDelta } = frame;
    if (offsetDelta >= firstDelta) {
      if (!hasRoom(frame, demand, into.length === 0)) return { bytes, position: start, left, offsetDelta };
      into.push({
        offset: String(firstOffset + BigInt(frame.offsetDelta)),
        timestamp: header.appendTime ?? recordTime(header, frame),
        key: records.key(),
        value: records.value(),
        ...headersOf(records, frame),
        isControlRecord,
        batchContext,
      });
    }
    records.pass();
  }
  return undefined;
}

/** Counts the record. The first of all is admitted up to `firstBytes`, regardless of `bytes`. */
function hasRoom({ bytes, headerCount }: RecordFrame, demand: BatchDemand, isFirst: boolean): boolean {
  const taken = RECORD_OVERHEAD_BYTES + bytes + headerCount * HEADER_OVERHEAD_BYTES;
  if (isFirst ? taken > demand.firstBytes : taken > demand.bytes) return false;
  demand.bytes -= taken;
  return true;
}

function headersOf(records: RecordReader, { headerCount }: RecordFrame) {
  const { headers, leftOut: headersLeftOut } = records.headers(headerCount);
  return { headers, headersLeftOut };
}

/** Wraps at 64 bits, as in Java. */
function recordTime({ firstTimestamp }: BatchHeader, { timestampDelta }: RecordFrame): string {
  return String(BigInt.asIntN(64, firstTimestamp + BigInt(timestampDelta)));
}
