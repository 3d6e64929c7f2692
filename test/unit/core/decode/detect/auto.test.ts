import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { DEFAULT_LIMITS } from '../../../../../src/core/decode/decoder.ts';
import { DecoderRegistry } from '../../../../../src/core/decode/registry.ts';
import type { RecordHeaders } from '../../../../../src/core/record/headers.ts';
import { compress } from '../../../../../src/core/wire/snappy.ts';
import { encodeWriteRequest, namedSeries } from '../../../../lab/generator/write-request.ts';
import { decodeWriteRequest } from '../../../../lab/truth/prompb.ts';

/** Metric names that come out of a record. */
function names(value: Buffer, headers: RecordHeaders, encoding = 'auto'): string[] {
  const context = { headers, timestamp: 1_700_000_000_000, limits: DEFAULT_LIMITS };
  const { body, rejects } = new DecoderRegistry(encoding).decode(value, context);
  assert.deepEqual(rejects, []);
  return decodeWriteRequest(body).series.map(({ labels }) => Object.fromEntries(labels)['__name__'] ?? '');
}

const V1 = writeRequest('up');
function writeRequest(name: string): Buffer {
  return encodeWriteRequest(namedSeries([name]));
}

const SAMPLE = Buffer.from('{"name":"up","value":1}');
const INFLUX = Buffer.from('cpu v=1');

test('without headers the bytes decide', () => {
  assert.deepEqual(names(compress(V1), {}), ['up']);
  assert.deepEqual(names(zstdCompressSync(V1), {}), ['up']);
  assert.deepEqual(names(SAMPLE, {}), ['up']);
  assert.deepEqual(names(zstdCompressSync(INFLUX), {}), ['cpu_v']);
  assert.deepEqual(names(compress(INFLUX), { 'content-encoding': 'snappy' }), ['cpu_v']);
});

test("the header of VictoriaMetrics' protocol names it, whatever is configured", () => {
  const headers = { 'X-VictoriaMetrics-Remote-Write-Version': '1' };
  assert.deepEqual(names(zstdCompressSync(V1), headers, 'influx'), ['up']);
});

test('a content type that encodings share: the configured one, else the bytes', () => {
  assert.deepEqual(names(SAMPLE, { 'content-type': 'application/json' }), ['up']);
  const point = Buffer.from('{"metric":"m","timestamp":1,"value":1,"tags":{"a":"b"}}');
  assert.deepEqual(names(point, { 'content-type': 'application/json; charset=utf-8' }), ['m']);
  assert.deepEqual(names(INFLUX, { 'content-type': 'text/plain' }), ['cpu_v']);
  assert.deepEqual(names(Buffer.from('a 1'), { 'content-type': 'text/plain' }, 'graphite'), ['a']);
  assert.deepEqual(names(Buffer.from('a 1 1700000000'), { 'content-type': 'text/plain; version=0.0.4' }), [
    'a',
  ]);
  assert.deepEqual(names(V1, { 'content-type': 'application/x-protobuf', 'content-encoding': 'none' }), [
    'up',
  ]);
});

test('a content type of one encoding alone is taken at its word', () => {
  const headers = { 'content-type': 'application/x-influx-line-protocol' };
  assert.deepEqual(names(Buffer.from('up v=1'), headers, 'remote_write_v2'), ['up_v']);
});

for (const [what, text] of [
  ['with its mark', Buffer.from('\ufeffup 1\n', 'utf16le')],
  ['with its mark, big-endian', Buffer.from('\ufeffup 1\n', 'utf16le').swap16()],
  ['without a mark', Buffer.from('{"name":"up","value":1}', 'utf16le')],
  ['without a mark, big-endian', Buffer.from('cpu,host=a v=1', 'utf16le').swap16()],
] as const) {
  test(`text in UTF-16 is said to be that: ${what}`, () => {
    for (const [value, encoding] of [
      [text, ''],
      [zstdCompressSync(text), 'zstd'],
    ] as const) {
      const headers = { 'content-encoding': encoding };
      const context = { headers, timestamp: 0, limits: DEFAULT_LIMITS };
      assert.throws(() => new DecoderRegistry('auto').decode(value, context), { reason: 'utf16' });
    }
  });
}

test('what has zeros in it need not be UTF-16', () => {
  assert.deepEqual(names(Buffer.from('0a000a000a000a00', 'hex'), { 'content-encoding': 'identity' }), [
    '',
    '',
    '',
    '',
  ]);
});

test('declared as VictoriaMetrics lines, labels that are not text are empty, and counted', () => {
  const line =
    '{"metric":{"__name__":"a","id":1,"none":null,"ok":"x","b":true},"values":[1],"timestamps":[1]}';
  const context = { headers: {}, timestamp: 0, limits: DEFAULT_LIMITS };
  const { uncarried, rejects } = new DecoderRegistry('vmimport').decode(Buffer.from(line), context);
  assert.deepEqual([uncarried, rejects.length], [{ label_not_text: 2 }, 0]);
});
