import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { DEFAULT_LIMITS } from '../../../../../src/core/decode/decoder.ts';
import { createDecoders, DecoderRegistry } from '../../../../../src/core/decode/registry.ts';
import { confluentDecoder, schemaIdOf } from '../../../../../src/core/decode/schema/confluent.ts';
import { mappedJsonDecoder } from '../../../../../src/core/decode/schema/mapped-json.ts';
import type { SchemaId } from '../../../../../src/core/decode/schema/writer-schema.ts';
import { PoisonError } from '../../../../../src/core/model/errors.ts';
import { decodeWriteRequest } from '../../../../lab/truth/prompb.ts';
import {
  avroWriter,
  compile,
  documentedSchema,
  frame,
  protobufWriter,
  schemaSource,
} from '../../../../support/schemas.ts';

const context = { headers: {}, timestamp: 0, limits: DEFAULT_LIMITS };
const AVSC = documentedSchema('metric-batch.avsc');
const JSON_SCHEMA = documentedSchema('metric-batch.schema.json');
const PROTO = documentedSchema('metric-batch.proto');

const BATCH = {
  series: [
    { labels: { __name__: 'up', job: 'a' }, samples: [{ timestamp: 1_700_000_000_000, value: 1.5 }] },
    { labels: { __name__: 'up', job: 'b' }, samples: [{ timestamp: -1, value: 0 }] },
  ],
};
const schemas = schemaSource({
  1: await compile('AVRO', AVSC),
  2: await compile('JSON', JSON_SCHEMA),
  3: await compile('PROTOBUF', PROTO),
});
const poison = (reason: string) => (error: unknown) =>
  error instanceof PoisonError && error.stage === 'decode' && error.reason === reason;

const ENCODED: [string, Buffer][] = [
  ['Avro', frame(1, (await avroWriter(AVSC))(BATCH))],
  ['JSON', frame(2, Buffer.from(JSON.stringify(BATCH)))],
  ['Protobuf', frame(3, protobufWriter(PROTO, 'io.penstock.MetricBatch', [0])(BATCH))],
];
for (const [name, body] of ENCODED) {
  test(`the documented schema in ${name}`, () => {
    const decoded = confluentDecoder(schemas).decode(body, context);
    const series = decodeWriteRequest(decoded.body).series;
    assert.deepEqual(decoded.rejects, []);
    assert.deepEqual(
      series.map(({ labels, samples }) => ({
        labels: Object.fromEntries(labels),
        samples: samples.map(({ timestamp, bits }) => ({
          timestamp: Number(timestamp),
          value: double(bits),
        })),
      })),
      BATCH.series,
    );
  });

  test(`${name} with something missing at its end is poison, whatever is missing`, () => {
    for (let end = 5; end < body.length; end++) {
      try {
        const { body: whole } = confluentDecoder(schemas).decode(body.subarray(0, end), context);
        // Protobuf has no end: what is there may be a message with fewer series.
        assert.equal(name, 'Protobuf');
        assert.ok(decodeWriteRequest(whole).series.length < BATCH.series.length);
      } catch (error) {
        assert.ok(error instanceof PoisonError, String(error));
      }
    }
  });
}

test('JSON that nests deeper than the stack goes is poison, with a schema and without one', async () => {
  const lists = '['.repeat(50_000) + ']'.repeat(50_000);
  const body = Buffer.from(`{"series":[{"labels":{"__name__":"a"},"samples":[],"more":${lists}}]}`);
  const item = { $ref: '#/definitions/list' };
  const recursive = {
    definitions: { list: { type: 'array', items: item } },
    properties: { series: { items: { properties: { more: item } } } },
  };
  const own = schemaSource({ 1: await compile('JSON', {}), 2: await compile('JSON', recursive) });
  for (const id of [1, 2]) {
    assert.throws(() => confluentDecoder(own).decode(frame(id, body), context), poison('nesting'), `${id}`);
  }
  assert.throws(() => mappedJsonDecoder().decode(body, context), poison('nesting'));
  // What nobody has to write down may be as deep as it likes.
  const good = body.toString().replace('"samples":[]', '"samples":[{"timestamp":1,"value":2}]');
  assert.deepEqual(mappedJsonDecoder().decode(Buffer.from(good), context).rejects, []);
});

test('JSON is read whether it fits its schema or not, and one series that lacks something is set aside alone', () => {
  const misfit = { labels: { __name__: 'up', job: 5 }, samples: [{ timestamp: 1, value: 1, more: 1 }] };
  const bad = { labels: { __name__: 'up' }, samples: [{ timestamp: 1 }] };
  const body = frame(2, Buffer.from(JSON.stringify({ series: [BATCH.series[0], misfit, bad], more: 1 })));
  const { body: request, rejects } = confluentDecoder(schemas).decode(body, context);
  assert.deepEqual(
    decodeWriteRequest(request).series.map(({ labels }) => labels[1]),
    [
      ['job', 'a'],
      ['job', '5'],
    ],
  );
  assert.deepEqual(
    rejects.map(({ reason }) => reason),
    ['mapping'],
  );
  const again = mappedJsonDecoder();
  assert.deepEqual(again.contentTypes, [rejects[0]!.contentType]);
  for (const text of [JSON.stringify([misfit]), JSON.stringify({ series: [misfit] })]) {
    assert.equal(decodeWriteRequest(again.decode(Buffer.from(text), context).body).series.length, 1);
  }
});

test('a record that is not framed is poison', () => {
  for (const body of [Buffer.alloc(0), Buffer.alloc(4), Buffer.from([1, 0, 0, 0, 1, 2])]) {
    assert.throws(() => confluentDecoder(schemas).decode(body, context), poison('confluent_frame'));
  }
});

const GUID = '00010203-0405-0607-0809-0a0b0c0d0e0f';
const guidHeader = (...more: number[]) =>
  Buffer.from([1, ...Array.from({ length: 16 }, (_, at) => at), ...more]);

test('a header names the schema by its GUID, and has the message indexes', async () => {
  const proto = await compile('PROTOBUF', PROTO);
  const json = await compile('JSON', JSON_SCHEMA);
  const body = protobufWriter(PROTO, 'io.penstock.MetricBatch', [0])(BATCH).subarray(1);
  for (const [schema, value, header] of [
    [proto, body, guidHeader(0)],
    [proto, body, guidHeader()],
    [json, Buffer.from(JSON.stringify(BATCH)), guidHeader()],
  ] as const) {
    const source = { schema: (id: SchemaId) => (id === GUID ? schema : assert.fail(String(id))) };
    const registry = new DecoderRegistry('auto', createDecoders({ schemas: source }));
    const headers = { __value_schema_id: header };
    assert.equal(registry.schemaId(value, { headers, limits: DEFAULT_LIMITS }), GUID);
    const decoded = registry.decode(value, { ...context, headers });
    assert.equal(decodeWriteRequest(decoded.body).series.length, BATCH.series.length);
  }
  const framed = { __value_schema_id: frame(2, Buffer.alloc(0)) };
  const plain = Buffer.from(JSON.stringify(BATCH));
  assert.deepEqual(confluentDecoder(schemas).decode(plain, { ...context, headers: framed }).rejects, []);
});

test('a header that names nothing is passed over, and AWS Glue is told', () => {
  for (const header of [Buffer.alloc(0), Buffer.from([1, 2]), Buffer.from([7]), null]) {
    const headers = { __value_schema_id: header };
    assert.deepEqual(confluentDecoder(schemas).decode(ENCODED[1]![1], { ...context, headers }).rejects, []);
  }
  const glue = Buffer.from([3, 0, ...Array.from({ length: 16 }, () => 1), 0x7b]);
  assert.throws(() => confluentDecoder(schemas).decode(glue, context), /AWS Glue/);
});

test('without a registry a framed record is poison that says what to configure', () => {
  const decode = () => confluentDecoder().decode(frame(1, Buffer.alloc(0)), context);
  assert.throws(decode, poison('no_registry'));
  assert.throws(decode, /registry\.url/);
});

test('the id is 32 bits, big-endian', () => {
  assert.equal(schemaIdOf(frame(0x01020304, Buffer.alloc(0))), 0x01020304);
  assert.equal(schemaIdOf(frame(0xffffffff, Buffer.alloc(9))), 0xffffffff);
});

test('which records need a schema is known before they are decoded', () => {
  const auto = new DecoderRegistry('auto', createDecoders({ schemas }));
  const id = (value: Buffer, headers = {}, registry = auto) =>
    registry.schemaId(value, { headers, limits: DEFAULT_LIMITS });
  const framed = frame(7, Buffer.from('x'));
  assert.equal(id(framed), 7);
  assert.equal(id(gzipSync(framed)), 7);
  assert.equal(id(gzipSync(framed), { 'content-encoding': 'gzip' }), 7);
  assert.equal(id(framed, { 'content-type': 'application/vnd.confluent+avro' }), 7);
  assert.equal(id(framed, {}, new DecoderRegistry('confluent', createDecoders({ schemas }))), 7);
  assert.equal(id(framed, {}, new DecoderRegistry('influx', createDecoders({ schemas }))), undefined);
  assert.equal(id(framed, { 'content-type': 'application/x-protobuf' }), undefined);
  assert.equal(id(framed, { 'content-type': 'no/such' }), undefined);
  assert.equal(id(framed, { 'content-encoding': 'gzip' }), undefined);
  assert.equal(id(Buffer.from('up 1')), undefined);
  assert.equal(id(Buffer.alloc(0)), undefined);
});

function double(bits: bigint): number {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(bits);
  return bytes.readDoubleLE();
}
