import { lend } from '../../../core/wire/memory.ts';
import { epochMs } from '../../time/clock.ts';
import type { ProduceArguments, ProduceMessage, ProducePartition } from './types.ts';

const API_KEY = 0;
const MAGIC = 2;
const TRANSACTIONAL = 0x10;
/** Bytes of a record batch from its base offset to its first record (Kafka protocol, record batch v2). */
const BATCH_HEADER_BYTES = 61;
/** Bytes of a batch not counted by its length field: base offset and the length itself. */
const BATCH_LENGTH_FROM = 12;
const CRC_AT = 17;
const CRC_FROM = 21;
/** Room in front of the body for the request header (size, key, version, correlation id, client id). */
export const HEADROOM_BYTES = 512;

/** A request body (`buffer`) with room for the header in front of it in `whole`, so that nothing is copied. */
export interface RoomyBody {
  readonly whole: Buffer;
  readonly buffer: Buffer;
}

/**
 * The body of a Produce request v3 to v7 (their layout is the same), written into one buffer.
 *
 * Replaces kafkajs' encoder, which copies each value some seven times, into zeroed buffers of twice the size.
 * Here a value is copied once, and the checksum is native. Compressed batches still go the original way.
 *
 * @param crc32c checksum of a buffer, CRC-32C, unsigned
 */
export function encodeProduce(args: ProduceArguments, crc32c: (bytes: Buffer) => number): RoomyBody {
  const batches = args.topicData.map(({ partitions }) => partitions.map(measureBatch));
  const whole = lend(HEADROOM_BYTES + measureBody(args, batches));
  const writer = new Writer(whole, HEADROOM_BYTES);
  writer.string(args.transactionalId ?? null);
  writer.int16(args.acks);
  writer.int32(args.timeout);
  writer.int32(args.topicData.length);
  for (const [at, { topic, partitions }] of args.topicData.entries()) {
    writer.string(topic);
    writer.int32(partitions.length);
    for (const [index, data] of partitions.entries()) {
      const batch = batches[at]![index]!;
      writer.int32(data.partition);
      writer.int32(batch.bytes);
      writeBatch(writer, args, data, batch, crc32c);
    }
  }
  return { whole, buffer: whole.subarray(HEADROOM_BYTES, writer.position) };
}

/** The kafkajs request definition around `encodeProduce`. */
export function produceRequest(
  original: (args: ProduceArguments) => { encode(): Promise<unknown> },
  crc32c: (bytes: Buffer) => number,
) {
  return (args: ProduceArguments) => ({
    apiKey: API_KEY,
    apiVersion: 3,
    apiName: 'Produce',
    expectResponse: () => args.acks !== 0,
    encode: async () =>
      (args.compression ?? 0) === 0 ? encodeProduce(args, crc32c) : original(args).encode(),
  });
}

interface Batch {
  readonly bytes: number;
  readonly firstTimestamp: number;
  readonly maxTimestamp: number;
  readonly records: readonly MeasuredRecord[];
}

interface MeasuredRecord {
  readonly timestampDelta: number;
  /** Bytes of the record behind its length field. */
  readonly bodyBytes: number;
  readonly headers: readonly (readonly [name: string, value: string | Buffer | null])[];
}

function measureBatch({ messages }: ProducePartition): Batch {
  const now = epochMs();
  const timestamps = messages.map(({ timestamp }) => Number(timestamp ?? now));
  const firstTimestamp = timestamps.reduce((least, timestamp) => Math.min(least, timestamp));
  const maxTimestamp = timestamps.reduce((most, timestamp) => Math.max(most, timestamp));
  let bytes = BATCH_HEADER_BYTES;
  const records = messages.map((message, offsetDelta) => {
    const record = measureRecord(message, timestamps[offsetDelta]! - firstTimestamp, offsetDelta);
    bytes += varintBytes(record.bodyBytes) + record.bodyBytes;
    return record;
  });
  return { bytes, firstTimestamp, maxTimestamp, records };
}

function measureRecord(message: ProduceMessage, timestampDelta: number, offsetDelta: number): MeasuredRecord {
  const headers = Object.entries(message.headers ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((one) => one !== undefined)
      .map((one) => [name, one] as const),
  );
  let bodyBytes = 1 + varintBytes(timestampDelta) + varintBytes(offsetDelta);
  bodyBytes += fieldBytes(message.key) + fieldBytes(message.value) + varintBytes(headers.length);
  for (const [name, value] of headers) bodyBytes += fieldBytes(name) + fieldBytes(value);
  return { timestampDelta, bodyBytes, headers };
}

function measureBody(args: ProduceArguments, batches: readonly (readonly Batch[])[]): number {
  let bytes = 2 + Buffer.byteLength(args.transactionalId ?? '') + 2 + 4 + 4;
  for (const [at, { topic }] of args.topicData.entries()) {
    bytes += 2 + Buffer.byteLength(topic) + 4;
    for (const batch of batches[at]!) bytes += 4 + 4 + batch.bytes;
  }
  return bytes;
}

function writeBatch(
  writer: Writer,
  { transactionalId, producerId, producerEpoch }: ProduceArguments,
  { messages, firstSequence }: ProducePartition,
  batch: Batch,
  crc32c: (bytes: Buffer) => number,
): void {
  const start = writer.position;
  writer.int64(0);
  writer.int32(batch.bytes - BATCH_LENGTH_FROM);
  writer.int32(0); // partition leader epoch: the broker's to set
  writer.int8(MAGIC);
  writer.int32(0); // checksum, below
  writer.int16(transactionalId ? TRANSACTIONAL : 0);
  writer.int32(messages.length - 1);
  writer.int64(batch.firstTimestamp);
  writer.int64(batch.maxTimestamp);
  writer.int64(producerId === undefined ? -1 : String(producerId));
  writer.int16(producerEpoch ?? 0);
  writer.int32(firstSequence ?? 0);
  writer.int32(messages.length);
  for (const [offsetDelta, message] of messages.entries()) {
    const { bodyBytes, timestampDelta, headers } = batch.records[offsetDelta]!;
    writer.varint(bodyBytes);
    writer.int8(0);
    writer.varint(timestampDelta);
    writer.varint(offsetDelta);
    writer.field(message.key);
    writer.field(message.value);
    writer.varint(headers.length);
    for (const [name, value] of headers) {
      writer.field(name);
      writer.field(value);
    }
  }
  const { whole } = writer;
  whole.writeUInt32BE(crc32c(whole.subarray(start + CRC_FROM, writer.position)), start + CRC_AT);
}

/** Zigzag encoding of Kafka's varints. Exact up to 2^52, which is enough for timestamp deltas. */
function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = zigzag(value); rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

function fieldBytes(value: string | Buffer | null | undefined): number {
  if (value === null || value === undefined) return varintBytes(-1);
  const bytes = Buffer.byteLength(value);
  return varintBytes(bytes) + bytes;
}

class Writer {
  readonly whole: Buffer;
  position: number;

  constructor(whole: Buffer, position: number) {
    this.whole = whole;
    this.position = position;
  }

  int8(value: number): void {
    this.position = this.whole.writeInt8(value, this.position);
  }

  int16(value: number): void {
    this.position = this.whole.writeInt16BE(value, this.position);
  }

  int32(value: number): void {
    this.position = this.whole.writeInt32BE(value, this.position);
  }

  int64(value: number | string): void {
    this.position = this.whole.writeBigInt64BE(BigInt(value), this.position);
  }

  varint(value: number): void {
    let rest = zigzag(value);
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.whole[this.position++] = (rest % 128) | 0x80;
    this.whole[this.position++] = rest;
  }

  /** A string with an int16 length, or null. */
  string(text: string | null): void {
    if (text === null) {
      this.int16(-1);
      return;
    }
    this.int16(Buffer.byteLength(text));
    this.position += this.whole.write(text, this.position);
  }

  /** Bytes or text with a varint length, or null. */
  field(value: string | Buffer | null | undefined): void {
    if (value === null || value === undefined) {
      this.varint(-1);
      return;
    }
    this.varint(Buffer.byteLength(value));
    if (typeof value === 'string') this.position += this.whole.write(value, this.position);
    else {
      this.whole.set(value, this.position);
      this.position += value.length;
    }
  }
}

interface RequestArguments {
  readonly correlationId: number;
  readonly clientId: string;
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    encode(): Promise<{ readonly buffer: Buffer } | RoomyBody>;
  };
}

/** Size, API key, API version, correlation id and the length of the client id. */
const FIXED_HEADER_BYTES = 4 + 2 + 2 + 4 + 2;

/**
 * Encodes a whole request (Kafka protocol, request header v1).
 *
 * Replaces kafkajs' `protocol/request`, which copies the body twice. A body with headroom is not copied, any other
 * once.
 */
export async function createRequest({
  correlationId,
  clientId,
  request,
}: RequestArguments): Promise<{ buffer: Buffer }> {
  const body = await request.encode();
  const headerBytes = FIXED_HEADER_BYTES + Buffer.byteLength(clientId);
  const inPlace = 'whole' in body && headerBytes <= HEADROOM_BYTES;
  const content = body.buffer;
  const buffer = inPlace
    ? body.whole.subarray(HEADROOM_BYTES - headerBytes, HEADROOM_BYTES + content.length)
    : Buffer.allocUnsafe(headerBytes + content.length);
  if (!inPlace) content.copy(buffer, headerBytes);
  let at = buffer.writeInt32BE(buffer.length - 4, 0);
  at = buffer.writeInt16BE(request.apiKey, at);
  at = buffer.writeInt16BE(request.apiVersion, at);
  at = buffer.writeInt32BE(correlationId, at);
  at = buffer.writeInt16BE(Buffer.byteLength(clientId), at);
  buffer.write(clientId, at);
  return { buffer };
}
