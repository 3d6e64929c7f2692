import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../../../../src/core/decode/decoder.ts';
import { jsonDecoder } from '../../../../../src/core/decode/json/json.ts';
import { jsonTimeMs } from '../../../../../src/core/decode/json/time.ts';
import { PoisonError } from '../../../../../src/core/model/errors.ts';
import { decodeWriteRequest } from '../../../../lab/truth/prompb.ts';

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

test('different whole numbers are different labels, however long', () => {
  const lines = ['738529527931269425', '738529527931269426', '-0', '1e400', '9007199254740993'].map(
    (id) => `{"name":"a","value":1,"labels":{"id":${id}}}`,
  );
  assert.deepEqual(
    decode(lines.join('\n')).series.map(({ labels }) => labels['id']),
    ['738529527931269425', '738529527931269426', '-0', '1e400', '9007199254740993'],
  );
});

test('NaN and infinities without quotes, in lines and in arrays', () => {
  const samples = [
    '{"name":"up","value":NaN}',
    '{"name":"up2","value":Infinity}',
    '{"name":"up3","value":-Infinity}',
    GOOD,
  ];
  for (const text of [samples.join('\n'), `[${samples.join(',')}]`]) {
    const { series, rejected } = decode(text);
    assert.deepEqual(
      series.map(({ value }) => value),
      [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1],
    );
    assert.deepEqual(rejected, []);
  }
});

test('byte order marks are skipped, at the start and before the texts that were joined', () => {
  const mark = '\ufeff';
  assert.equal(decode(`${mark}${GOOD}\n${mark}${GOOD}\n ${mark}`).series.length, 2);
  assert.equal(decode(`${mark}[${GOOD}]`).series.length, 1);
});

test('a name or label that is not UTF-8 is set aside alone, as it came', () => {
  const bad = [
    Buffer.from('{"name":"a","value":1,"labels":{"city":"M\xfcnchen"}}', 'latin1'),
    Buffer.from('{"name":"a\xff","value":1}', 'latin1'),
    Buffer.from('{"name":"a","value":1,"labels":{"\\ud800":"x"}}'),
    Buffer.from('{"name":"a","value":1,"labels":{"x":"\\udc00\\ud800"}}'),
    Buffer.from('{"name":"a\xc0\x80","value":1}', 'latin1'),
  ];
  for (const part of bad) {
    const body = Buffer.concat([Buffer.from(`${GOOD}\n`), part, Buffer.from(`\n${GOOD}`)]);
    const context = { headers: {}, timestamp: 1, limits: DEFAULT_LIMITS };
    const { body: request, rejects } = jsonDecoder().decode(body, context);
    assert.equal(decodeWriteRequest(request).series.length, 2);
    assert.deepEqual(
      rejects.map(({ reason, value }) => [reason, value]),
      [['invalid_utf8', part]],
    );
  }
});

test('a sample that nests deep is read or set aside alone', () => {
  const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
  const { series, rejected } = decode(`{"name":"a","value":1,"more":${deep}}\n${GOOD}`);
  assert.equal(series.length, 1);
  assert.equal(rejected.length, 1);
});

test('nothing at all is counted', () => {
  for (const text of ['[]', ' \n ']) {
    const context = { headers: {}, timestamp: 1, limits: DEFAULT_LIMITS };
    assert.deepEqual(jsonDecoder().decode(Buffer.from(text), context).uncarried, { empty_record: 1 });
  }
});
