import { errorMessage } from '../../../core/model/errors.ts';
import { UnreadableBatchError } from '../errors.ts';
import { HEADER_OVERHEAD_BYTES, RECORD_OVERHEAD_BYTES } from '../partition-queue.ts';
import { crc32c } from './crc32c.ts';
import { type HalfRead, HalfReadBatch } from './half-read-batch.ts';
import { type ReadHeaders, type RecordFrame, RecordReader } from './record-reader.ts';
import type { RawMessage } from './types.ts';

/** Magic byte of record batches as Kafka has them since 0.11, and where it is in a batch, as in the formats before. */
export const MAGIC = 2;
export const MAGIC_AT = 16;
/** Base offset and length, in front of what the length counts; alike in all formats. */
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

/** A record as kafkajs hands it around, with what is asked of it here and there. */
export interface DecodedMessage extends RawMessage {
  readonly value: Buffer | null;
  /** Milliseconds since the epoch, as decimal. */
  readonly timestamp: string;
  readonly headers: ReadHeaders;
  /** Headers beyond those that are kept of a record. */
  readonly headersLeftOut: number;
}

/** kafkajs' table of codecs: the one of a batch's attributes, null where it is not compressed. */
export type LookupCodec = (attributes: number) => { decompress(data: Buffer): Promise<Buffer> } | null;

/** What of a batch is wanted. */
export interface BatchDemand {
  /** Records before this offset are passed over. */
  readonly from: bigint;
  /** Bytes of memory that further records may take; it goes down. */
  bytes: number;
  /** Bytes that the very first record may take. */
  readonly firstBytes: number;
}

export interface DecodedBatch {
  /** All records from `from` on were wanted. Else those behind the last one are still to be read. */
  readonly isWhole: boolean;
  /** They lie in the record set itself, and not in memory of a codec. */
  readonly isPlain: boolean;
}

const halfRead = new HalfReadBatch();

/** Where the batch says that the next one begins; undefined where it cannot be. */
export function nextOffsetOf(set: Buffer, at: number): bigint | undefined {
  if (at + LAST_OFFSET_DELTA_AT + 4 > set.length) return undefined;
  const base = set.readBigInt64BE(at);
  const next = base + BigInt(set.readInt32BE(at + LAST_OFFSET_DELTA_AT)) + 1n;
  return base >= 0n && next > base && next <= MOST_OFFSET ? next : undefined;
}

/** Whether the batch in `[at, end)` is one of this format whose checksum is right. */
export function isSound(set: Buffer, at: number, end: number): boolean {
  if (end - at < BATCH_HEADER_BYTES || end > set.length || set[at + MAGIC_AT] !== MAGIC) return false;
  return crc32c(set.subarray(at + ATTRIBUTES_AT, end)) === set.readUInt32BE(at + CHECKSUM_AT);
}

/** The checksum that the batch carries: what tells it from another one at the same offset. */
export function checksumOf(set: Buffer, at: number): number {
  return at + CHECKSUM_AT + 4 <= set.length ? set.readUInt32BE(at + CHECKSUM_AT) : 0;
}

/**
 * Appends the records of the batch in `[at, end)` of `set` that are wanted. All of it is checked before: a batch that is
 * malformed anywhere gives nothing.
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
  /** Of all records; undefined where each has its own. */
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
 * Walks all records, and makes nothing of them. What Java's consumer refuses is refused; so are offsets that do not
 * ascend or lie outside of the batch, at which it would repeat records, or leave some out.
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

/** Appends from records that were checked, up to `end`. @returns those for which there was no room; undefined for none */
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

/** Counts the record in. One comes in any case, unless even the first is too large for now. */
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

/** The sum wraps where 64 bits cannot hold it, as in Java. */
function recordTime({ firstTimestamp }: BatchHeader, { timestampDelta }: RecordFrame): string {
  return String(BigInt.asIntN(64, firstTimestamp + BigInt(timestampDelta)));
}
