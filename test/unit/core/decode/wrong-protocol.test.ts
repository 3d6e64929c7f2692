import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../../../src/core/decode/decoder.ts';
import { DecoderRegistry } from '../../../../src/core/decode/registry.ts';
import { PoisonError } from '../../../../src/core/model/errors.ts';
import type { RecordHeaders } from '../../../../src/core/record/headers.ts';
import { ByteSink } from '../../../../src/core/wire/byte-sink.ts';
import { decodeWriteRequest } from '../../../lab/truth/prompb.ts';

/** A length-delimited field. */
function field(number: number, ...parts: (Buffer | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const sink = new ByteSink();
  sink.varint(number * 8 + 2);
  sink.varint(content.length);
  return Buffer.concat([sink.finish(), content]);
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
/** 1 at 1700000000000 ms: Sample of both versions, and the two fields of a data point of OTLP. */
const SAMPLE = hex('09 000000000000f03f 10 80d095ffbc31');
const POINT = Buffer.concat([hex('19 0000c52ea18d9717'), hex('21 000000000000f03f')]);

const V1 = field(1, field(1, field(1, '__name__'), field(2, 'm')), field(2, SAMPLE));
const V2 = Buffer.concat([
  field(4),
  field(4, '__name__'),
  field(4, 'm'),
  field(5, field(1, hex('0102')), field(2, SAMPLE)),
]);
const RESOURCE = field(1, field(1, field(1, 'host'), field(2, field(1, 'a'))));
const METRIC = field(2, field(1, 'm'), field(5, field(1, POINT)));
const OTLP = field(1, RESOURCE, field(2, METRIC));
/** The same from a sender of OTLP 0.14 and before is that too; of 0.15 to 0.18 the field may be another. */
const OTLP_LIBRARY = field(1, RESOURCE, field(1000, METRIC));

const TYPES = {
  remote_write_v1: 'application/x-protobuf;proto=prometheus.WriteRequest',
  remote_write_v2: 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
  otlp: 'application/x-protobuf;proto=opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest',
} as const;

function decode(value: Buffer, headers: RecordHeaders, encoding = 'auto') {
  const plain = { ...headers, 'content-encoding': 'identity' };
  const context = { headers: plain, timestamp: 1_700_000_000_000, limits: DEFAULT_LIMITS };
  const { body, rejects, uncarried } = new DecoderRegistry(encoding).decode(value, context);
  const names = decodeWriteRequest(body).series.map(({ labels }) => Object.fromEntries(labels)['__name__']);
  return { names, rejects, uncarried };
}

const poison = (reason: string, message?: RegExp) => (error: unknown) =>
  error instanceof PoisonError && error.reason === reason && (message?.test(error.message) ?? true);

const BODIES = { remote_write_v1: V1, remote_write_v2: V2, otlp: OTLP, 'OTLP 0.15': OTLP_LIBRARY };

for (const [actual, body] of Object.entries(BODIES)) {
  for (const [declared, type] of Object.entries(TYPES)) {
    test(`${actual} that is declared as ${declared}`, () => {
      for (const found of [decode(body, { 'content-type': type }), decode(body, {}, declared)]) {
        if (actual === 'remote_write_v1' && declared === 'remote_write_v2') {
          assert.deepEqual(found.names, []);
          assert.deepEqual(
            found.rejects.map(({ reason }) => reason),
            ['wrong_version'],
          );
        } else {
          assert.deepEqual(found.rejects, []);
          assert.deepEqual(found.names, ['m']);
        }
      }
    });
  }

  test(`${actual} by its bytes`, () => {
    assert.deepEqual(decode(body, { 'content-type': 'application/x-protobuf' }).names, ['m']);
    assert.deepEqual(decode(body, {}, 'victoriametrics_remote_write').names, actual === 'x' ? [] : ['m']);
  });
}

test('a body of fields that nobody knows is a dead letter, not nothing', () => {
  for (const body of [
    field(9, 'x'),
    field(7, V1),
    field(2, SAMPLE),
    Buffer.concat([field(9, V1), field(9, V1)]),
  ]) {
    assert.throws(() => decode(body, {}, 'remote_write_v1'), poison('unknown_fields'));
    assert.throws(() => decode(body, {}, 'otlp'), poison('unknown_fields'));
    // Field 2 is one of 1.0, and 2.0 says so of it.
    const v2 = () => decode(body, {}, 'remote_write_v2');
    if (body[0] === 0x12) assert.equal(v2().rejects[0]!.reason, 'wrong_version');
    else assert.throws(v2, poison('unknown_fields'));
  }
});

test('what has nothing to lose is no dead letter', () => {
  const metadata = field(3, hex('0801'), field(2, 'm'));
  assert.deepEqual(decode(metadata, {}, 'remote_write_v1').rejects, []);
  assert.deepEqual(decode(metadata, { 'content-type': TYPES.remote_write_v1 }).names, []);
  assert.deepEqual(decode(field(4), {}, 'remote_write_v2').rejects, []);
  assert.deepEqual(decode(field(1, RESOURCE), {}, 'otlp').rejects, []);
  // A number by itself: Mimir says the source of a request so.
  assert.deepEqual(decode(hex('1001'), {}, 'remote_write_v1').rejects, []);
  assert.deepEqual(decode(Buffer.concat([hex('1001'), V1]), {}, 'remote_write_v1').names, ['m']);
});
