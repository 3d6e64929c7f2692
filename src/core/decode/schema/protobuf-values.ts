import { isUtf8 } from 'node:buffer';
import {
  BYTES,
  FIXED32,
  FIXED64,
  malformed,
  type ProtobufReader,
  VARINT,
} from '../../wire/protobuf-reader.ts';

/** How a value of a scalar type is read, after its tag. */
export interface Scalar {
  readonly wireType: number;
  readonly read: (reader: ProtobufReader) => unknown;
}

/** The scalar types of protobuf's language (protobuf.dev/programming-guides/encoding). */
export const SCALARS: ReadonlyMap<string, Scalar> = new Map<string, Scalar>([
  ['double', { wireType: FIXED64, read: (reader) => reader.double() }],
  ['float', { wireType: FIXED32, read: (reader) => fixed32(reader).getFloat32(0, true) }],
  ['int64', { wireType: VARINT, read: int64 }],
  ['uint64', { wireType: VARINT, read: uint64 }],
  ['sint64', { wireType: VARINT, read: sint64 }],
  ['int32', { wireType: VARINT, read: int32 }],
  ['uint32', { wireType: VARINT, read: (reader) => int32(reader) >>> 0 }],
  ['sint32', { wireType: VARINT, read: sint32 }],
  ['bool', { wireType: VARINT, read: (reader) => reader.varint() !== 0 }],
  ['fixed64', { wireType: FIXED64, read: (reader) => exactInteger(fixed64(reader).getBigUint64(0, true)) }],
  ['sfixed64', { wireType: FIXED64, read: (reader) => exactInteger(fixed64(reader).getBigInt64(0, true)) }],
  ['fixed32', { wireType: FIXED32, read: (reader) => fixed32(reader).getUint32(0, true) }],
  ['sfixed32', { wireType: FIXED32, read: (reader) => fixed32(reader).getInt32(0, true) }],
  ['string', { wireType: BYTES, read: text }],
  ['bytes', { wireType: BYTES, read: bytes }],
]);

/** A varint as a signed 32-bit number. */
export function int32(reader: ProtobufReader): number {
  const value = int64(reader);
  return typeof value === 'number' ? value | 0 : Number(BigInt.asIntN(32, value));
}

function sint32(reader: ProtobufReader): number {
  const bits = int32(reader) >>> 0;
  return (bits >>> 1) ^ -(bits & 1);
}

function int64(reader: ProtobufReader): number | bigint {
  const start = reader.position;
  const value = reader.varint();
  if (value <= Number.MAX_SAFE_INTEGER) return value;
  reader.position = start;
  return exactInteger(reader.int64());
}

function uint64(reader: ProtobufReader): number | bigint {
  const value = int64(reader);
  return typeof value === 'number' && value >= 0 ? value : exactInteger(BigInt.asUintN(64, BigInt(value)));
}

function sint64(reader: ProtobufReader): number | bigint {
  const bits = uint64(reader);
  if (typeof bits === 'number') return bits % 2 === 0 ? bits / 2 : -(bits + 1) / 2;
  return exactInteger((bits >> 1n) ^ -(bits & 1n));
}

/** The value as a number if a double holds it exactly, else as a bigint. */
export function exactInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function fixed32(reader: ProtobufReader): DataView {
  return view(reader, 4);
}

function fixed64(reader: ProtobufReader): DataView {
  return view(reader, 8);
}

function view(reader: ProtobufReader, length: number): DataView {
  const start = reader.position;
  if (length > reader.end - start) {
    throw malformed(`truncated: ${length} bytes wanted at byte ${start}, ${reader.end - start} left`);
  }
  reader.position = start + length;
  return new DataView(reader.bytes.buffer, reader.bytes.byteOffset + start, length);
}

function bytes(reader: ProtobufReader): Uint8Array {
  const start = reader.block();
  return reader.bytes.subarray(start, reader.position);
}

function text(reader: ProtobufReader): string {
  const start = reader.block();
  const { position } = reader;
  const text = (reader.bytes as Buffer).toString('utf8', start, position);
  // U+FFFD comes from bytes that are not UTF-8, or stands in the text itself.
  if (text.includes('\ufffd') && !isUtf8(reader.bytes.subarray(start, position))) {
    throw malformed(`text at byte ${start} is no UTF-8`);
  }
  return text;
}
