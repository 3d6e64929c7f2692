import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS, type Decoder } from '../../../../../src/core/decode/decoder.ts';
import { createDecoders, DecoderRegistry } from '../../../../../src/core/decode/registry.ts';
import { confluentDecoder } from '../../../../../src/core/decode/schema/confluent.ts';
import { METRIC_BATCH } from '../../../../../src/core/decode/schema/mapping.ts';
import { JSON_SCHEMA } from '../../../../../src/io/registry/compile.ts';
import { decodeWriteRequest } from '../../../../lab/truth/prompb.ts';

/** How labels may be written, and what becomes of them: the text, in every JSON encoding. */
const WRITTEN = ['1.10', '1.1', '1e5', '1.0', '-0.0', '100', '9007199254740993', 'true', '0.0000001'];

const context = { headers: {}, timestamp: 1_700_000_000_000, limits: DEFAULT_LIMITS };
const mapping = { ...METRIC_BATCH, label_fields: ['field=extra.field'] };
const json = (name: string) => new DecoderRegistry(name, createDecoders({ mapping }));
const confluent: Decoder = confluentDecoder({ schema: () => JSON_SCHEMA }, mapping);

const labels = (written: string) => `{"__name__":"a","version":${written}}`;
const batch = (written: string) =>
  `{"series":[{"labels":${labels(written)},"extra":{"field":${written}},"samples":[{"value":1.50,"timestamp":1.0e3}]}]}`;

const FORMS: readonly [string, (body: Buffer) => Buffer, (written: string) => string][] = [
  ['json', decodeBy('json'), (written) => `{"value":1.50,"timestamp":1.0,"labels":${labels(written)}}`],
  [
    'json in an array',
    decodeBy('json'),
    (written) => `[{"value":1.50,"timestamp":1.0,"labels":${labels(written)}}]`,
  ],
  ['mapped_json', decodeBy('mapped_json'), batch],
  [
    'confluent',
    (body) => confluent.decode(Buffer.concat([Buffer.from([0, 0, 0, 0, 1]), body]), context).body,
    batch,
  ],
];

function decodeBy(name: string): (body: Buffer) => Buffer {
  return (body) => json(name).decode(body, context).body;
}

for (const [name, decode, bodyOf] of FORMS) {
  test(`${name}: labels have the text that they were written with`, () => {
    for (const written of WRITTEN) {
      const [series] = decodeWriteRequest(decode(Buffer.from(bodyOf(written)))).series;
      assert.ok(series, written);
      const found = Object.fromEntries(series.labels);
      assert.equal(found['version'], written);
      if (found['field'] !== undefined) assert.equal(found['field'], written);
      assert.deepEqual(
        series.samples.map(({ timestamp, bits }) => [Number(timestamp), bits]),
        [[1000, doubleBits(1.5)]],
      );
    }
  });
}

function doubleBits(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

test('a label whose number is read again is counted once', () => {
  const all = Array.from(
    { length: 10 },
    (_, at) => `{"labels":${labels(`${at}.0`)},"samples":[{"value":1,"timestamp":1}]}`,
  );
  const { body, rejects } = json('mapped_json').decode(Buffer.from(`{"series":[${all.join()},{}]}`), context);
  assert.deepEqual(
    decodeWriteRequest(body).series.map((series) => Object.fromEntries(series.labels)['version']),
    all.map((_, at) => `${at}.0`),
  );
  assert.equal(rejects.length, 1);
});

for (const zero of ['0', '"0"', '0.0', '-0']) {
  test(`a time of ${zero} was not set: the record's stands for it, and is counted`, () => {
    for (const [name, body] of [
      ['json', `{"name":"a","value":1,"timestamp":${zero}}`],
      ['mapped_json', `{"series":[{"labels":{"__name__":"a"},"samples":[{"value":1,"timestamp":${zero}}]}]}`],
    ] as const) {
      const { body: request, uncarried } = json(name).decode(Buffer.from(body), context);
      const [series] = decodeWriteRequest(request).series;
      assert.equal(Number(series?.samples[0]?.timestamp), context.timestamp);
      assert.deepEqual(uncarried, { zero_time: 1 });
    }
  });
}

test('1970 as text is a time', () => {
  const body = '{"name":"a","value":1,"timestamp":"1970-01-01T00:00:00Z"}';
  const { body: request, uncarried } = json('json').decode(Buffer.from(body), context);
  assert.equal(Number(decodeWriteRequest(request).series[0]?.samples[0]?.timestamp), 0);
  assert.equal(uncarried, undefined);
});
