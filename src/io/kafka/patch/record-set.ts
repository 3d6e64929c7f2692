import { errorMessage } from '../../../core/model/errors.ts';
import { giveBack, lend } from '../../../core/wire/memory.ts';
import { type UnreadableBatch, UnreadableBatchError } from '../errors.ts';
import {
  BATCH_HEAD_BYTES,
  BATCH_HEADER_BYTES,
  type BatchDemand,
  checksumOf,
  type DecodedMessage,
  decodeBatch,
  isSound,
  type LookupCodec,
  MAGIC,
  MAGIC_AT,
  nextOffsetOf,
} from './record-batch.ts';
import { NO_HEADERS } from './record-reader.ts';
import type { Decoder } from './types.ts';

/** Parts of kafkajs for compressed batches (`lookupCodec`) and formats before Kafka 0.11 (the others). */
export interface OriginalFormats {
  readonly decodeMessages: (decoder: Decoder) => Promise<DecodedMessage[]>;
  readonly Decoder: new (buffer: Buffer) => Decoder;
  readonly lookupCodec: LookupCodec;
}

/** Bounds for reading a record set. */
export interface SetDemand {
  /** The offset asked for; batches come whole, so records before it may be present. */
  readonly from: bigint;
  /** The partition's high watermark in the fetch response. */
  readonly highWatermark: bigint;
  /** Bytes of memory for the records. The first is admitted regardless, up to `firstBytes`. */
  readonly bytes: number;
  readonly firstBytes: number;
}

/** Records read from a record set. */
export interface ReadSet {
  readonly messages: DecodedMessage[];
  /** Offset to continue at: after the last message, or after batches without any. `from` if nothing was passed. */
  readonly next: bigint;
  /** True if the first record is too large for now. */
  readonly isHeldBack: boolean;
}

/** Most bytes of an unreadable batch kept for a dead letter. */
const KEPT_BYTES = 16 * 1024 * 1024;

const unread = new WeakMap<object, Buffer>();
const ownMemory = new WeakMap<object, Buffer>();
const sizes = new WeakMap<object, number>();
const faults = new WeakMap<object, UnreadableBatchError>();

/** The buffer that holds exactly these messages (kafkajs' `Batch.rawMessages`), if there is one. */
export function memoryOf(rawMessages: object): Buffer | undefined {
  return ownMemory.get(rawMessages);
}

/** Wire size of the record set of these messages, in bytes; 0: none. */
export function fetchedBytes(rawMessages: object): number {
  return sizes.get(rawMessages) ?? 0;
}

/** Fault of the batch at the position, set only when nothing before it was read. */
export function faultOf(rawMessages: object): UnreadableBatchError | undefined {
  return faults.get(rawMessages);
}

/** Takes the record set not yet read into these messages. */
export function takeUnread(rawMessages: object): Buffer | undefined {
  const set = unread.get(rawMessages);
  unread.delete(rawMessages);
  return set;
}

/**
 * Copies the record set of one partition out of a fetch response, versions 4 to 11, to be read later (`readRecordSet`).
 *
 * Replaces kafkajs' `decodeMessages`, which decodes all records at once: a batch of a megabyte may expand to 200 MB, or
 * to millions of records. With a copy, one partition's records do not keep alive the response of the others, and its
 * memory can be given back when they are done.
 */
export async function copyRecordSet(decoder: Decoder): Promise<DecodedMessage[]> {
  const messages: DecodedMessage[] = [];
  const size = decoder.readInt32();
  if (size <= 0 || !decoder.canReadBytes(size)) return messages;
  if (size <= MAGIC_AT) {
    decoder.readBytes(size);
    return messages; // not even the beginning of a batch
  }
  const bytes = lend(size);
  bytes.set(decoder.readBytes(size));
  unread.set(messages, bytes);
  return messages;
}

/**
 * Reads the wanted records (Kafka protocol, record batch v2). Its twin is kafkajs' own decoder
 * (test/unit/io/kafka/patch/record-set.test.ts). A batch cut off at the end is left for the next fetch, as there. An
 * unreadable one ends the set; if nothing was read before it, `faultOf` has the error. kafkajs would crash.
 */
export async function readRecordSet(
  set: Buffer,
  demand: SetDemand,
  formats: OriginalFormats,
): Promise<ReadSet> {
  const messages: DecodedMessage[] = [];
  const left: BatchDemand = { ...demand };
  let [plain, packed, isWhole] = [0, 0, true];
  let next = demand.from;
  let at = 0;
  try {
    while (isWhole && at + MAGIC_AT < set.length) {
      const end = batchEnd(set, at);
      if (end > set.length && at > 0) break;
      // Brokers send the first batch whole, however large (KIP-74).
      if (end > set.length) throw tooShort(set, at, end);
      try {
        if (set[at + MAGIC_AT]! < MAGIC) {
          await readOld(set.subarray(at, end), demand.from, formats, messages);
          packed += 1;
          next = larger(next, set.readBigInt64BE(at) + 1n);
        } else {
          const before = messages.length;
          const batch = await decodeBatch(set, at, end, formats.lookupCodec, left, messages);
          if (messages.length > before) batch.isPlain ? (plain += 1) : (packed += 1);
          isWhole = batch.isWhole;
          if (isWhole) next = larger(next, nextOffsetOf(set, at)!);
        }
      } catch (error) {
        // An unreadable batch that ends before `from` does not matter.
        const isOver = isBehind(set, end, demand.from) || endsBefore(set, at, demand.from);
        if (!(error instanceof UnreadableBatchError) || !isOver) throw error;
      }
      at = end;
    }
  } catch (error) {
    if (!(error instanceof UnreadableBatchError)) throw error;
    if (messages.length === 0 && next === demand.from)
      faults.set(
        messages,
        new UnreadableBatchError(error.message, { cause: error.cause, batch: describe(set, at, demand) }),
      );
  }
  sizes.set(messages, set.length);
  const last = messages.at(-1);
  if (last !== undefined) next = BigInt(last.offset) + 1n;
  if (plain === 0 || last === undefined) giveBack(set);
  else if (packed === 0 && isWhole) ownMemory.set(messages, set);
  return { messages, next, isHeldBack: !isWhole && last === undefined };
}

/** End position of the batch at `at`; beyond the end of `set` if it was cut off. */
function batchEnd(set: Buffer, at: number): number {
  const length = set.readInt32BE(at + 8);
  const end = at + BATCH_HEAD_BYTES + length;
  const least = set[at + MAGIC_AT]! < MAGIC ? MAGIC_AT + 1 : BATCH_HEADER_BYTES;
  if (end < at + least) throw unreadable(set, at, `its length is ${length}`);
  return end;
}

function tooShort(set: Buffer, at: number, end: number): UnreadableBatchError {
  return unreadable(set, at, `it has ${end} bytes, and ${set.length} were fetched`);
}

function unreadable(set: Buffer, at: number, reason: string, cause?: unknown): UnreadableBatchError {
  return new UnreadableBatchError(`the record batch at offset ${set.readBigInt64BE(at)}: ${reason}`, {
    cause,
  });
}

/** True if a batch begins at `at` whose base offset is at most `offset`. */
function isBehind(set: Buffer, at: number, offset: bigint): boolean {
  return at + BATCH_HEADER_BYTES <= set.length && set.readBigInt64BE(at) <= offset;
}

/** True if the batch ends before `offset`, by its header. */
function endsBefore(set: Buffer, at: number, offset: bigint): boolean {
  const next = nextOffsetOf(set, at);
  return next !== undefined && next <= offset;
}

/** Describes the unreadable batch at `at`. */
function describe(set: Buffer, at: number, { from, highWatermark }: SetDemand): UnreadableBatch {
  const end = at + BATCH_HEAD_BYTES + set.readInt32BE(at + 8);
  const isWhole = end >= at + BATCH_HEAD_BYTES && end <= set.length;
  const bytes = set.subarray(at, isWhole ? end : set.length);
  const offset = set.readBigInt64BE(at);
  const next = endOffset(set, at, isWhole ? end : set.length, from, highWatermark);
  return {
    offset,
    nextOffset: larger(next, larger(from, offset) + 1n),
    checksum: checksumOf(set, at),
    length: bytes.length,
    bytes: Buffer.from(bytes.subarray(0, KEPT_BYTES)),
  };
}

/**
 * The offset after an unreadable batch. Its header is trusted if the checksum is right, or as far as it fits the batch
 * that follows or the partition's end. Otherwise only its first offset is skipped, and when the broker then sends the
 * same batch again, twice as many each time: there is no other way to find the next batch.
 */
function endOffset(set: Buffer, at: number, end: number, from: bigint, highWatermark: bigint): bigint {
  const said = nextOffsetOf(set, at);
  const offset = set.readBigInt64BE(at);
  const following = end + BATCH_HEADER_BYTES <= set.length ? set.readBigInt64BE(end) : undefined;
  if (following !== undefined && following > offset)
    return said !== undefined && said <= following ? said : following;
  if (said !== undefined && (said <= highWatermark || isSound(set, at, end))) return said;
  if (from <= offset) return offset + 1n;
  const doubled = offset + 2n * (from - offset);
  return doubled < highWatermark ? doubled : highWatermark;
}

/** Appends a message of the formats before 0.11, or its inner messages, decoded by kafkajs. */
async function readOld(
  entry: Buffer,
  from: bigint,
  formats: OriginalFormats,
  into: DecodedMessage[],
): Promise<void> {
  try {
    const sized = Buffer.alloc(4 + entry.length);
    sized.writeInt32BE(entry.length);
    sized.set(entry, 4);
    for (const { offset, timestamp, key, value } of await formats.decodeMessages(new formats.Decoder(sized)))
      if (BigInt(offset) >= from)
        into.push({ ...OLD_MESSAGE, offset: String(offset), timestamp: String(timestamp ?? -1), key, value });
  } catch (error) {
    throw unreadable(entry, 0, errorMessage(error), error);
  }
}

/** Fields that the formats before 0.11 lack. */
const OLD_MESSAGE = {
  headers: NO_HEADERS,
  headersLeftOut: 0,
  isControlRecord: false,
  batchContext: { producerId: '-1', inTransaction: false },
} as const;

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

export interface ResponseFormat {
  decode(payload: Buffer): Promise<unknown>;
}

/** Gives a fetch response's memory back once it is decoded: the record sets have been copied out of it. */
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
