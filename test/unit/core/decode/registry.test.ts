import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { DEFAULT_LIMITS, type Decoder } from '../../../../src/core/decode/decoder.ts';
import { DecoderRegistry } from '../../../../src/core/decode/registry.ts';
import { remoteWriteV1 } from '../../../../src/core/decode/remote-write/v1.ts';
import { ConfigError, PoisonError } from '../../../../src/core/model/errors.ts';
import type { RecordHeaders } from '../../../../src/core/record/headers.ts';
import { compress } from '../../../../src/core/wire/snappy.ts';

const BODY = Buffer.from('0a00'.repeat(300), 'hex');
const registry = new DecoderRegistry();

function decode(value: Buffer, headers: RecordHeaders, recordBytes = DEFAULT_LIMITS.record_bytes): Buffer {
  const limits = { ...DEFAULT_LIMITS, record_bytes: recordBytes };
  return registry.decode(value, { headers, timestamp: 0, limits }).body;
}

const poison = (reason: string) => (error: unknown) =>
  error instanceof PoisonError && error.reason === reason;

test('without headers a record is remote write 1.0 in snappy', () => {
  assert.deepEqual(decode(compress(BODY), {}), BODY);
});

const ENCODED: Record<string, Buffer> = {
  snappy: compress(BODY),
  Snappy: compress(BODY),
  identity: BODY,
  none: BODY,
  gzip: gzipSync(BODY),
  zstd: zstdCompressSync(BODY),
};

for (const [encoding, value] of Object.entries(ENCODED)) {
  test(`content-encoding ${encoding}`, () => {
    const headers = { 'Content-Type': Buffer.from('application/x-protobuf'), 'Content-Encoding': encoding };
    assert.deepEqual(decode(value, headers), BODY);
  });

  test(`${encoding} beyond the size limit is refused`, () => {
    assert.deepEqual(decode(value, { 'content-encoding': encoding }, BODY.length), BODY);
    assert.throws(
      () => decode(value, { 'content-encoding': encoding }, BODY.length - 1),
      poison('record_too_large'),
    );
  });
}

for (const encoding of ['snappy', 'gzip', 'zstd']) {
  test(`broken ${encoding} has that reason`, () => {
    const broken = Buffer.from('this is not compressed at all');
    assert.throws(() => decode(broken, { 'content-encoding': encoding }), poison(encoding));
    const cut = ENCODED[encoding]!.subarray(0, -3);
    assert.throws(() => decode(cut, { 'content-encoding': encoding }), poison(encoding));
  });
}

test('unknown encodings and content types are poison, named in the message', () => {
  assert.throws(() => decode(BODY, { 'content-encoding': 'br' }), poison('content_encoding'));
  assert.throws(() => decode(BODY, { 'content-encoding': 'br' }), /"br" is not known; expected snappy/);
  assert.throws(() => decode(BODY, { 'content-type': 'image/png' }), poison('content_type'));
  const unknown = 'application/x-protobuf;proto=example.Unknown';
  assert.throws(() => decode(BODY, { 'content-type': unknown }), poison('content_type'));
});

test('parameters of the content type', () => {
  for (const type of [
    'application/x-protobuf;proto=prometheus.WriteRequest',
    'Application/X-Protobuf; charset=utf-8; proto="prometheus.WriteRequest"',
    'application/x-protobuf; charset=utf-8',
  ]) {
    assert.deepEqual(decode(compress(BODY), { 'content-type': type }), BODY, type);
  }
});

const other: Decoder = {
  name: 'other',
  contentTypes: ['text/other'],
  defaultContentEncoding: 'identity',
  decode: (body) => ({ body: Buffer.from(body.toString('utf8').toUpperCase()), rejects: [] }),
};

test('each decoder has its own default content-encoding, and one is the default', () => {
  const both = new DecoderRegistry('other', [remoteWriteV1, other]);
  const context = { headers: {}, timestamp: 0, limits: DEFAULT_LIMITS };
  assert.equal(both.decode(Buffer.from('abc'), context).body.toString(), 'ABC');
  const headers = { 'content-type': 'application/x-protobuf' };
  assert.deepEqual(both.decode(compress(BODY), { ...context, headers }).body, BODY);
});

test('a registry that cannot work fails when it is made', () => {
  assert.throws(
    () => new DecoderRegistry('carrier_pigeon'),
    (error) => error instanceof ConfigError && /remote_write_v1/.test(error.message),
  );
  const twin = { ...other, name: 'twin' };
  assert.throws(() => new DecoderRegistry('other', [remoteWriteV1, other, twin]), /both claim text\/other/);
});

test('many different content types do not fill memory, and stay right', () => {
  for (let i = 0; i < 1000; i++) {
    assert.equal(registry.decoderFor({ 'content-type': `application/x-protobuf; v=${i}` }), remoteWriteV1);
  }
});
