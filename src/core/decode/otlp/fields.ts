import { isUtf8 } from 'node:buffer';
import { PoisonError } from '../../model/errors.ts';
import { quoteBytes } from '../../model/invalid-utf8.ts';
import { BYTES, FIXED64, malformed, type ProtobufReader, VARINT } from '../../wire/protobuf-reader.ts';
import { type AnyValue, type KeyValues, MAX_NESTING } from './attributes.ts';
import type { OtlpBounds } from './bounds.ts';
import type { Value } from './series.ts';

/** Most bytes of a text that a message quotes. */
const QUOTED_BYTES = 120;

/** Readers of the field values in OTLP's messages. Each checks the wire type and throws PoisonError. */

/** A fixed64 as an unsigned integer. */
export function fixed64(field: ProtobufReader, what: string): bigint {
  field.expect(FIXED64, what);
  const at = field.position;
  field.skip();
  return viewAt(field, at).getBigUint64(0, true);
}

/** A double; a NaN as its 64 bits. */
export function double(field: ProtobufReader, what: string): Value {
  field.expect(FIXED64, what);
  const at = field.position;
  const value = field.double();
  return Number.isNaN(value) ? viewAt(field, at).getBigUint64(0, true) : value;
}

/** A double, any NaN as NaN. */
export function plainDouble(field: ProtobufReader, what: string): number {
  field.expect(FIXED64, what);
  return field.double();
}

export function uint32(field: ProtobufReader, what: string): number {
  field.expect(VARINT, what);
  return Number(BigInt.asUintN(32, field.int64()));
}

/** A zigzag-encoded integer. */
export function sint32(field: ProtobufReader, what: string): number {
  const encoded = uint32(field, what);
  return (encoded >>> 1) ^ -(encoded & 1);
}

export function text(field: ProtobufReader, what: string): string {
  field.expect(BYTES, what);
  const start = field.block();
  const bytes = field.bytes.subarray(start, field.position);
  const found = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  if (found.includes('\ufffd') && !isUtf8(bytes)) {
    throw new PoisonError(
      'decode',
      'invalid_utf8',
      `${what} has bytes that are not UTF-8: ${quoteBytes(bytes, QUOTED_BYTES)}`,
    );
  }
  return found;
}

export function message(field: ProtobufReader, what: string): ProtobufReader {
  field.expect(BYTES, what);
  return field.message();
}

/** Appends the items of a repeated fixed64 or double, packed or one field each. */
export function repeatedFixed64<T>(
  field: ProtobufReader,
  what: string,
  items: T[],
  bounds: OtlpBounds,
  read: (view: DataView) => T,
): void {
  const packed = field.wireType === BYTES;
  if (!packed) field.expect(FIXED64, what);
  const start = packed ? field.block() : field.position;
  if (!packed) field.skip();
  if ((field.position - start) % 8 !== 0) throw malformed(`${what}: not a whole number of 8 bytes`);
  bounds.buckets(items.length + (field.position - start) / 8, what);
  for (let at = start; at < field.position; at += 8) items.push(read(viewAt(field, at)));
}

/** Appends the items of a repeated uint64, packed or one field each. */
export function repeatedUint64(
  field: ProtobufReader,
  what: string,
  items: bigint[],
  bounds: OtlpBounds,
): void {
  if (field.wireType !== BYTES) {
    field.expect(VARINT, what);
    bounds.buckets(items.length + 1, what);
    items.push(BigInt.asUintN(64, field.int64()));
    return;
  }
  const packed = field.message();
  while (packed.position < packed.end) {
    bounds.buckets(items.length + 1, what);
    items.push(BigInt.asUintN(64, packed.int64()));
  }
}

/** Adds the KeyValue in the field just read, unless it has no key or no value. */
export function keyValue(
  field: ProtobufReader,
  what: string,
  into: [string, AnyValue][],
  bounds: OtlpBounds,
  nesting = 0,
): void {
  const members = message(field, what);
  bounds.attribute(into.length, what);
  let key = '';
  let value: AnyValue = null;
  while (bounds.next(members)) {
    if (members.field === 1) key = text(members, `${what}.key`);
    else if (members.field === 2) value = anyValue(message(members, `${what}.value`), what, bounds, nesting);
    else skip(members);
  }
  if (key !== '' && value !== null) into.push([key, value]);
}

/** Adds the StringKeyValue in the field just read: a label, which OTLP before 0.9 has instead of attributes. */
export function oldLabel(
  field: ProtobufReader,
  what: string,
  into: [string, AnyValue][],
  bounds: OtlpBounds,
): void {
  const members = message(field, what);
  bounds.attribute(into.length, what);
  let key = '';
  let value = '';
  while (bounds.next(members)) {
    if (members.field === 1) key = text(members, `${what}.key`);
    else if (members.field === 2) value = text(members, `${what}.value`);
    else skip(members);
  }
  if (key !== '') into.push([key, value]);
}

function anyValue(fields: ProtobufReader, what: string, bounds: OtlpBounds, nesting: number): AnyValue {
  if (nesting > MAX_NESTING) {
    throw new PoisonError('decode', 'nesting', `${what}: values nest deeper than ${MAX_NESTING}`);
  }
  let value: AnyValue = null;
  while (bounds.next(fields)) {
    switch (fields.field) {
      case 1:
        value = text(fields, `${what} string`);
        break;
      case 2:
        fields.expect(VARINT, `${what} bool`);
        value = fields.varint() !== 0;
        break;
      case 3:
        fields.expect(VARINT, `${what} int`);
        value = fields.int64();
        break;
      case 4:
        value = plainDouble(fields, `${what} double`);
        break;
      case 5:
        value = array(message(fields, `${what} array`), what, bounds, nesting + 1);
        break;
      case 6:
        value = { entries: keyValues(message(fields, `${what} kvlist`), what, bounds, nesting + 1) };
        break;
      case 7: {
        fields.expect(BYTES, `${what} bytes`);
        const start = fields.block();
        value = fields.bytes.subarray(start, fields.position);
        break;
      }
      default:
        skip(fields);
    }
  }
  return value;
}

function array(fields: ProtobufReader, what: string, bounds: OtlpBounds, nesting: number): AnyValue[] {
  const values: AnyValue[] = [];
  while (bounds.next(fields)) {
    if (fields.field === 1) {
      bounds.attribute(values.length, what);
      values.push(anyValue(message(fields, what), what, bounds, nesting));
    } else skip(fields);
  }
  return values;
}

function keyValues(fields: ProtobufReader, what: string, bounds: OtlpBounds, nesting: number): KeyValues {
  const entries: [string, AnyValue][] = [];
  while (bounds.next(fields)) {
    if (fields.field === 1) keyValue(fields, what, entries, bounds, nesting);
    else skip(fields);
  }
  return entries;
}

/** Skips a field. Groups are refused, as in vmagent. */
export function skip(field: ProtobufReader): void {
  if (field.wireType === 3 || field.wireType === 4) {
    throw malformed(`field ${field.field} at byte ${field.fieldStart} is a group, which OTLP does not have`);
  }
  field.skip();
}

function viewAt(field: ProtobufReader, at: number): DataView {
  return new DataView(field.bytes.buffer, field.bytes.byteOffset + at, 8);
}
