import { createRequire } from 'node:module';

/** Remote write 1.0 requests, read by protobufjs and snappyjs: this shares no code with src. */
interface Reader {
  pos: number;
  len: number;
  buf: Uint8Array;
  uint32(): number;
  int64(): { toString(): string } | number;
  uint64(): { toString(): string } | number;
  sint32(): number;
  sint64(): { toString(): string } | number;
  bytes(): Uint8Array;
  string(): string;
  skip(length?: number): Reader;
  skipType(wireType: number): Reader;
}

const require = createRequire(import.meta.url);
const snappyjs = require('snappyjs') as { uncompress(bytes: Buffer): Buffer };
const protobuf = require('protobufjs/minimal') as {
  Reader: { create(bytes: Uint8Array): Reader };
  util: { toJSONOptions: object };
};

export interface PlainSample {
  readonly timestamp: string;
  /** The 64 bits of the value. */
  readonly bits: bigint;
}

/** The double of 64 bits. */
export function doubleOf(bits: bigint): number {
  return new Float64Array(BigUint64Array.of(bits).buffer)[0]!;
}

export interface PlainSeries {
  readonly labels: [string, string][];
  readonly samples: PlainSample[];
  readonly exemplars: { labels: [string, string][]; bits: bigint; timestamp: string }[];
  readonly histograms: Record<string, unknown>[];
  /** All fields but the labels as raw bytes, together and one by one. */
  readonly tail: Buffer;
  readonly fields: Buffer[];
}

export interface PlainRequest {
  readonly series: PlainSeries[];
  readonly metadata: { type: number; metric: string; help: string; unit: string }[];
}

/** Decodes a WriteRequest as it is sent: in snappy. */
export function readWriteRequest(value: Buffer): PlainRequest {
  return decodeWriteRequest(snappyjs.uncompress(value));
}

/** Decodes a WriteRequest into objects, plainly. Throws if it is malformed. */
export function decodeWriteRequest(body: Uint8Array): PlainRequest {
  const request: PlainRequest = { series: [], metadata: [] };
  eachField(body, (field, wireType, reader) => {
    if (field === 1) request.series.push(decodeTimeSeries(message(reader, wireType)));
    else if (field === 3) request.metadata.push(decodeMetadata(message(reader, wireType)));
    else reader.skipType(wireType);
  });
  return request;
}

export function decodeTimeSeries(bytes: Uint8Array): PlainSeries {
  const fields: Buffer[] = [];
  const series = { labels: [], samples: [], exemplars: [], histograms: [] } as Omit<
    PlainSeries,
    'tail' | 'fields'
  >;
  eachField(bytes, (field, wireType, reader, start) => {
    if (field === 1) {
      series.labels.push(decodeLabel(message(reader, wireType)));
      return;
    }
    if (field === 2) series.samples.push(decodeSample(message(reader, wireType)));
    else if (field === 3) series.exemplars.push(decodeExemplar(message(reader, wireType)));
    else if (field === 4) series.histograms.push(decodeHistogram(message(reader, wireType)));
    else reader.skipType(wireType);
    fields.push(Buffer.from(bytes.subarray(start, reader.pos)));
  });
  return { ...series, fields, tail: Buffer.concat(fields) };
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeLabel(bytes: Uint8Array): [string, string] {
  const label: [string, string] = ['', ''];
  eachField(bytes, (field, wireType, reader) => {
    if (field === 1) label[0] = decoder.decode(message(reader, wireType));
    else if (field === 2) label[1] = decoder.decode(message(reader, wireType));
    else reader.skipType(wireType);
  });
  return label;
}

function decodeSample(bytes: Uint8Array): PlainSample {
  let bits = 0n;
  let timestamp = '0';
  eachField(bytes, (field, wireType, reader) => {
    if (field === 1) bits = fixed64(reader, wireType);
    else if (field === 2) timestamp = varint(reader, wireType).toString();
    else reader.skipType(wireType);
  });
  return { bits, timestamp };
}

function decodeExemplar(bytes: Uint8Array): PlainSeries['exemplars'][number] {
  const exemplar = { labels: [] as [string, string][], bits: 0n, timestamp: '0' };
  eachField(bytes, (field, wireType, reader) => {
    if (field === 1) exemplar.labels.push(decodeLabel(message(reader, wireType)));
    else if (field === 2) exemplar.bits = fixed64(reader, wireType);
    else if (field === 3) exemplar.timestamp = varint(reader, wireType).toString();
    else reader.skipType(wireType);
  });
  return exemplar;
}

function decodeMetadata(bytes: Uint8Array): PlainRequest['metadata'][number] {
  const metadata = { type: 0, metric: '', help: '', unit: '' };
  eachField(bytes, (field, wireType, reader) => {
    if (field === 1) metadata.type = reader.uint32();
    else if (field === 2) metadata.metric = Buffer.from(message(reader, wireType)).toString();
    else if (field === 4) metadata.help = Buffer.from(message(reader, wireType)).toString();
    else if (field === 5) metadata.unit = Buffer.from(message(reader, wireType)).toString();
    else reader.skipType(wireType);
  });
  return metadata;
}

const RESET_HINTS = ['unknown', 'yes', 'no', 'gauge'];

/** Field names as in prompb/types.proto; doubles as `{ bits }`. */
function decodeHistogram(bytes: Uint8Array): Record<string, unknown> {
  const histogram: Record<string, unknown> = { reset_hint: 'unknown', timestamp: '0', schema: 0 };
  for (const name of ['sum', 'zero_threshold']) histogram[name] = { bits: 0n };
  const push = (name: string, values: unknown[]) => {
    histogram[name] = [...((histogram[name] as unknown[] | undefined) ?? []), ...values];
  };
  eachField(bytes, (field, wireType, reader) => {
    const double = () => ({ bits: fixed64(reader, wireType) });
    const deltas = () => packed(reader, wireType, (items) => items.sint64().toString());
    const doubles = () => packed(reader, wireType, (items) => ({ bits: fixed64(items, 1) }));
    if (field === 1) histogram['count_int'] = reader.uint64().toString();
    else if (field === 2) histogram['count_float'] = double();
    else if (field === 3) histogram['sum'] = double();
    else if (field === 4) histogram['schema'] = reader.sint32();
    else if (field === 5) histogram['zero_threshold'] = double();
    else if (field === 6) histogram['zero_count_int'] = reader.uint64().toString();
    else if (field === 7) histogram['zero_count_float'] = double();
    else if (field === 8) push('negative_spans', [decodeSpan(message(reader, wireType))]);
    else if (field === 9) push('negative_deltas', deltas());
    else if (field === 10) push('negative_counts', doubles());
    else if (field === 11) push('positive_spans', [decodeSpan(message(reader, wireType))]);
    else if (field === 12) push('positive_deltas', deltas());
    else if (field === 13) push('positive_counts', doubles());
    else if (field === 14) histogram['reset_hint'] = RESET_HINTS[reader.uint32()];
    else if (field === 15) histogram['timestamp'] = varint(reader, wireType).toString();
    else if (field === 16) push('custom_values', doubles());
    else reader.skipType(wireType);
  });
  return histogram;
}

function decodeSpan(bytes: Uint8Array): [number, number] {
  const span: [number, number] = [0, 0];
  eachField(bytes, (field, wireType, reader) => {
    if (field === 1) span[0] = reader.sint32();
    else if (field === 2) span[1] = reader.uint32();
    else reader.skipType(wireType);
  });
  return span;
}

function packed<T>(reader: Reader, wireType: number, one: (items: Reader) => T): T[] {
  if (wireType !== 2) return [one(reader)];
  const items = protobuf.Reader.create(reader.bytes());
  const values: T[] = [];
  while (items.pos < items.len) values.push(one(items));
  return values;
}

type OnField = (field: number, wireType: number, reader: Reader, start: number) => void;

function eachField(bytes: Uint8Array, onField: OnField): void {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.uint32();
    if (tag >>> 3 === 0) throw new Error('field number 0');
    onField(tag >>> 3, tag & 7, reader, start);
  }
}

function message(reader: Reader, wireType: number): Uint8Array {
  if (wireType !== 2) throw new Error(`wire type ${wireType}, expected 2`);
  return reader.bytes();
}

function varint(reader: Reader, wireType: number): { toString(): string } | number {
  if (wireType !== 0) throw new Error(`wire type ${wireType}, expected 0`);
  const start = reader.pos;
  reader.skip();
  let value = 0n;
  for (let i = reader.pos - 1; i >= start; i--) value = (value << 7n) | BigInt(reader.buf[i]! & 0x7f);
  return BigInt.asIntN(64, value);
}

function fixed64(reader: Reader, wireType: number): bigint {
  if (wireType !== 1) throw new Error(`wire type ${wireType}, expected 1`);
  const { buf, pos } = reader;
  reader.skip(8);
  return new DataView(buf.buffer, buf.byteOffset + pos, 8).getBigUint64(0, true);
}
