import { createRequire } from 'node:module';
import { decodeTimeSeries, type PlainSample } from '../lab/truth/prompb.ts';

interface Reader {
  pos: number;
  readonly len: number;
  uint32(): number;
  bytes(): Uint8Array;
  skipType(wireType: number): Reader;
}

const require = createRequire(import.meta.url);
const protobuf = require('protobufjs/minimal') as { Reader: { create(bytes: Uint8Array): Reader } };

/** A series whose labels are Latin-1, a character a byte: text that is not UTF-8 stays what it is. */
export interface ByteSeries {
  readonly labels: readonly (readonly [string, string])[];
  readonly samples: readonly PlainSample[];
}

/** Decodes the series of a WriteRequest with protobufjs' reader, which shares no code with src/wire. */
export function decodeByteSeries(body: Uint8Array): ByteSeries[] {
  const series: ByteSeries[] = [];
  each(body, (field, bytes) => {
    if (field !== 1) return;
    const labels: [string, string][] = [];
    const rest: Uint8Array[] = [];
    each(bytes, (inner, value, whole) => {
      if (inner === 1) labels.push(label(value));
      else rest.push(whole);
    });
    series.push({ labels, samples: decodeTimeSeries(Buffer.concat(rest)).samples });
  });
  return series;
}

/** The WriteRequest without its series: its metadata. */
export function withoutSeries(body: Uint8Array): Buffer {
  const rest: Uint8Array[] = [];
  each(body, (field, _value, whole) => {
    if (field !== 1) rest.push(whole);
  });
  return Buffer.concat(rest);
}

function label(bytes: Uint8Array): [string, string] {
  const pair: [string, string] = ['', ''];
  each(bytes, (field, value) => {
    pair[field - 1] = Buffer.from(value).toString('latin1');
  });
  return pair;
}

function each(bytes: Uint8Array, visit: (field: number, value: Uint8Array, whole: Uint8Array) => void): void {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.uint32();
    if ((tag & 7) !== 2) throw new Error(`field ${tag >>> 3} has wire type ${tag & 7}, expected 2`);
    const value = reader.bytes();
    visit(tag >>> 3, value, bytes.subarray(start, reader.pos));
  }
}
