import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../../src/decode/decoder.ts';
import { jsonDecoder } from '../../../src/decode/json.ts';
import { jsonTimeMs } from '../../../src/decode/json-time.ts';
import { PoisonError } from '../../../src/model/errors.ts';
import { decodeWriteRequest } from '../../support/prompb.ts';

const RECORD_MS = 1_700_000_000_000;

function decode(text: string, headers = {}) {
  const context = { headers, timestamp: RECORD_MS, limits: DEFAULT_LIMITS };
  const { body, rejects } = jsonDecoder().decode(Buffer.from(text), context);
  const series = decodeWriteRequest(body).series.map(({ labels, samples }) => {
    const [{ bits, timestamp }] = samples as [{ bits: bigint; timestamp: string }];
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, bits);
    return { labels: Object.fromEntries(labels), value: view.getFloat64(0), ms: Number(timestamp) };
  });
  return { series, rejected: rejects.map(({ value }) => value.toString()) };
}

test('what prometheus-kafka-adapter writes', () => {
  const text =
    '{"timestamp":"1970-01-01T00:00:00Z","value":"9876543210","name":"up","labels":{"__name__":"up","label1":"value1"}}';
  const labels = { __name__: 'up', label1: 'value1' };
  assert.deepEqual(decode(text), { series: [{ labels, value: 9876543210, ms: 0 }], rejected: [] });
});

const VALUES: Readonly<Record<string, number>> = {
  '1.5': 1.5,
  '"1.5"': 1.5,
  '"1e3"': 1000,
  '"NaN"': Number.NaN,
  '"+Inf"': Number.POSITIVE_INFINITY,
  '"-Inf"': Number.NEGATIVE_INFINITY,
  '"infinity"': Number.POSITIVE_INFINITY,
  '-0': -0,
};
for (const [text, value] of Object.entries(VALUES)) {
  test(`value ${text}`, () =>
    assert.deepEqual(decode(`{"name":"a","value":${text}}`).series[0]?.value, value));
}

const TIMES: readonly [unknown, number | undefined][] = [
  ['2023-11-14T22:13:20Z', 1_700_000_000_000],
  ['2023-11-14T22:13:20.1239Z', 1_700_000_000_123],
  ['2023-11-14T23:43:20+01:30', 1_700_000_000_000],
  ['1969-12-31T23:59:59Z', -1000],
  ['2023-02-30T00:00:00Z', undefined],
  ['2023-11-14', undefined],
  [1_700_000_000, 1_700_000_000_000],
  [1_700_000_000.25, 1_700_000_000_250],
  ['1700000000', 1_700_000_000_000],
  [1_700_000_000_123, 1_700_000_000_123],
  [99_999_999_999, 99_999_999_999_000],
  [100_000_000_000, 100_000_000_000],
  [0, 0],
  [1_700_000_000_000_000, undefined],
  [true, undefined],
];
for (const [given, ms] of TIMES) {
  test(`timestamp ${JSON.stringify(given)}`, () => assert.equal(jsonTimeMs(given), ms));
}

test('without a timestamp the time is that of the record', () => {
  assert.equal(decode('{"name":"a","value":1,"timestamp":null}').series[0]?.ms, RECORD_MS);
});

test('__name__ in the labels wins over name, extra labels over all', () => {
  const headers = { 'penstock-query': 'extra_label=dc=eu&extra_label=a=x' };
  const { series } = decode(
    '{"name":"n","value":1,"labels":{"__name__":"m","a":1,"b":true,"c":null}}',
    headers,
  );
  assert.deepEqual(series[0]?.labels, { __name__: 'm', a: 'x', b: 'true', dc: 'eu' });
});

const BAD = [
  '{"value":1}',
  '{"name":"a"}',
  '{"name":"a","value":null}',
  '{"name":"a","value":"x"}',
  '{"name":"a","value":1,"timestamp":"yesterday"}',
  '{"name":"a","value":1,"labels":[]}',
  '{"name":"a","value":1,"labels":{"x":{}}}',
  '{"name":7,"value":1}',
  '7',
];
const GOOD = '{"name":"good","value":1}';

for (const bad of BAD) {
  test(`${bad} is set aside alone`, () => {
    for (const text of [`[${GOOD},${bad},${GOOD}]`, `${GOOD}\n${bad}\n${GOOD}\n`]) {
      const { series, rejected } = decode(text);
      assert.equal(series.length, 2);
      assert.deepEqual(rejected, [bad]);
    }
  });
}

test('a broken line is set aside alone, an object may span lines', () => {
  const { series, rejected } = decode(`{\n "name": "a",\n "value": 1\n}\n{"name":"a"\n${GOOD}\n}}\n${GOOD}`);
  assert.equal(series.length, 3);
  assert.deepEqual(rejected, ['{"name":"a"', '}}']);
});

test('a broken array is refused', () => {
  assert.throws(() => decode(`[${GOOD},`), PoisonError);
});
