/** Record batches byte by byte, such as no client writes, and a way to send them to a topic. */
import { connect as open } from 'node:net';
import { crc32c } from '../../src/io/kafka/patch/record-batch.ts';

export interface RawRecord {
  readonly value?: Buffer | string | null;
  readonly key?: Buffer | null;
  readonly headers?: readonly (readonly [name: Buffer | string, value: Buffer | string | null])[];
  readonly timestampDelta?: number | bigint;
  readonly offsetDelta?: number;
}

export interface RawBatch {
  /** The records section of the batch: from `rawRecords`, or anything else. */
  readonly body: Buffer;
  readonly count: number;
  readonly codec?: number;
  readonly baseOffset?: bigint;
  readonly lastOffsetDelta?: number;
  readonly firstTimestamp?: bigint;
  readonly attributes?: number;
}

export const GZIP = 1;
export const SNAPPY = 2;
export const LZ4 = 3;
export const ZSTD = 4;

export function varint(value: number | bigint): Buffer {
  const signed = BigInt(value);
  let rest = BigInt.asUintN(64, (signed << 1n) ^ (signed >> 63n));
  const bytes: number[] = [];
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

function field(value: Buffer | string | null): Buffer[] {
  return value === null ? [varint(-1)] : [varint(Buffer.byteLength(value)), Buffer.from(value)];
}

export function rawRecord(
  { value = null, key = null, headers = [], timestampDelta = 0, offsetDelta }: RawRecord,
  index: number,
): Buffer {
  const body = Buffer.concat([
    Buffer.alloc(1),
    varint(timestampDelta),
    varint(offsetDelta ?? index),
    ...field(key),
    ...field(value),
    varint(headers.length),
    ...headers.flatMap(([name, text]) => [...field(name), ...field(text)]),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

export function rawRecords(records: readonly RawRecord[]): Buffer {
  return Buffer.concat(records.map(rawRecord));
}

export function rawBatch({ body, count, codec = 0, ...batch }: RawBatch): Buffer {
  const { baseOffset = 0n, firstTimestamp = BigInt(Date.now()), attributes = 0 } = batch;
  const bytes = Buffer.alloc(61 + body.length);
  bytes.writeBigInt64BE(baseOffset, 0);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes[16] = 2;
  bytes.writeInt16BE(attributes | codec, 21);
  bytes.writeInt32BE(batch.lastOffsetDelta ?? count - 1, 23);
  bytes.writeBigInt64BE(firstTimestamp, 27);
  bytes.writeBigInt64BE(firstTimestamp, 35);
  bytes.writeBigInt64BE(-1n, 43);
  bytes.writeInt16BE(-1, 51);
  bytes.writeInt32BE(-1, 53);
  bytes.writeInt32BE(count, 57);
  bytes.set(body, 61);
  return sealed(bytes);
}

/** The batch with its checksum recomputed. */
export function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

/** Sends a batch to the one broker of a cluster (Produce v7). @returns the offset that it got */
export async function produceRaw(
  brokers: readonly string[],
  topic: string,
  partition: number,
  batch: Buffer,
): Promise<bigint> {
  const name = Buffer.from(topic);
  const head = Buffer.alloc(8 + 2 + 2 + 2 + 4 + 4);
  head.writeInt16BE(0, 0);
  head.writeInt16BE(7, 2);
  head.writeInt16BE(-1, 8); // no client id
  head.writeInt16BE(-1, 10); // no transaction
  head.writeInt16BE(-1, 12); // all replicas
  head.writeInt32BE(30_000, 14);
  head.writeInt32BE(1, 18);
  const middle = Buffer.alloc(2 + name.length + 4 + 4 + 4);
  middle.writeInt16BE(name.length, 0);
  middle.set(name, 2);
  middle.writeInt32BE(1, 2 + name.length);
  middle.writeInt32BE(partition, 6 + name.length);
  middle.writeInt32BE(batch.length, 10 + name.length);
  const size = Buffer.alloc(4);
  size.writeInt32BE(head.length + middle.length + batch.length);
  const [host, port] = brokers[0]!.split(':');
  const socket = open(Number(port), host);
  socket.write(Buffer.concat([size, head, middle, batch]));
  let answer = Buffer.alloc(0);
  for await (const piece of socket) {
    answer = Buffer.concat([answer, piece as Buffer]);
    if (answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)) break;
  }
  socket.destroy();
  const at = 4 + 4 + 4 + 2 + name.length + 4 + 4;
  const error = answer.readInt16BE(at);
  if (error !== 0) throw new Error(`the broker refuses the batch: error ${error}`);
  return answer.readBigInt64BE(at + 2);
}
