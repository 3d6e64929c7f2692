import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DecodeOptions } from '../../../../../src/core/decode/decode-options.ts';
import { DEFAULT_LIMITS, type Decoded } from '../../../../../src/core/decode/decoder.ts';
import { createDecoders } from '../../../../../src/core/decode/registry.ts';
import { PoisonError } from '../../../../../src/core/model/errors.ts';
import type { RecordHeaders } from '../../../../../src/core/record/headers.ts';
import { decodeWriteRequest } from '../../../../lab/truth/prompb.ts';

const TIME = 1_600_000_000_789;

function decode(
  encoding: string,
  text: string,
  headers: RecordHeaders = {},
  options: DecodeOptions = {},
): Decoded {
  const decoder = createDecoders(options).find(({ name }) => name === encoding)!;
  return decoder.decode(Buffer.from(text), { headers, timestamp: TIME, limits: DEFAULT_LIMITS });
}

const labelsOf = ({ body }: Decoded) => decodeWriteRequest(body).series.map(({ labels }) => labels);
const timesOf = ({ body }: Decoded) =>
  decodeWriteRequest(body).series.map(({ samples }) => Number(samples[0]!.timestamp));

const BAD_SECOND_LINE: Record<string, [string, string]> = {
  influx: ['a v=1\nbad\r\nb v=2\n', 'bad'],
  prometheus_text: ['a 1\nb{x="y} 2\nb 2', 'b{x="y} 2'],
  graphite: ['a 1\nb c d\nb 2', 'b c d'],
  opentsdb: ['put a 1 1\nput b 1\nput b 1 1', 'put b 1'],
  vmimport: [
    '{"metric":{"a":"1"},"values":[1],"timestamps":[1]}\n{]\n{"metric":{"a":"2"},"values":[1],"timestamps":[1]}',
    '{]',
  ],
};

for (const [encoding, [text, line]] of Object.entries(BAD_SECOND_LINE)) {
  test(`${encoding}: a line that is malformed is set aside alone, and named`, () => {
    const decoded = decode(encoding, text);
    assert.equal(labelsOf(decoded).length, 2);
    assert.equal(decoded.rejects.length, 1);
    const [reject] = decoded.rejects;
    assert.equal(reject!.reason, `${encoding}_line`);
    assert.equal(reject!.value.toString(), line);
    assert.match(reject!.message, /^line 2: /);
    assert.ok(reject!.message.includes(JSON.stringify(line)), reject!.message);
    // The part goes back by its content type, so that must lead to the same decoder.
    const owner = createDecoders().find(({ contentTypes }) => contentTypes.includes(reject!.contentType));
    assert.equal(owner?.name, encoding);
  });
}

test('beyond a hundred parts the rest is gathered in one that decodes the same', () => {
  const lines = Array.from({ length: 150 }, (_, index) => `bad${index}\ngood v=${index}\n\nworse${index}`);
  const decoded = decode('influx', lines.join('\n'));
  assert.equal(labelsOf(decoded).length, 150);
  assert.equal(decoded.rejects.length, 101);
  const rest = decoded.rejects.at(-1)!;
  assert.match(rest.message, /^200 more .* the first at line 201: /);
  const expected = lines.slice(50).flatMap((_, index) => [`bad${index + 50}`, `worse${index + 50}`]);
  assert.deepEqual(rest.value.toString().split('\n'), expected);
});

test('gathered data points of OpenTSDB are again an array', () => {
  const points = Array.from({ length: 300 }, (_, index) => ({ metric: 5, index }));
  const decoded = decode('opentsdb_http', JSON.stringify(points));
  assert.equal(decoded.rejects.length, 101);
  assert.deepEqual(JSON.parse(decoded.rejects.at(-1)!.value.toString()), points.slice(100));
});

test('what is gathered fits in a dead letter each, and nothing of it is missing', () => {
  const points = Array.from({ length: 3000 }, (_, index) => ({ metric: 5, index, text: 'x'.repeat(500) }));
  const gathered = decode('opentsdb_http', JSON.stringify(points)).rejects.slice(100);
  assert.equal(gathered.length, 3);
  assert.ok(gathered.every(({ value }) => value.length <= 600_000));
  const found = gathered.flatMap(({ value }) => JSON.parse(value.toString()) as unknown[]);
  assert.deepEqual(found, points.slice(100));
  const counts = gathered.map(({ message }) => Number(/^\d+/.exec(message)![0]));
  assert.equal(
    counts.reduce((sum, count) => sum + count),
    2900,
  );
});

test('a line whose tags would be repeated out of proportion is set aside', () => {
  const tags = Array.from({ length: 30 }, (_, index) => `tag${index}=${'x'.repeat(100)}`).join(',');
  const fields = Array.from({ length: 2000 }, (_, index) => `f${index}=1`).join(',');
  const decoded = decode('influx', `m,${tags} ${fields}\nm,${tags} f=1`);
  assert.equal(labelsOf(decoded).length, 1);
  assert.match(decoded.rejects[0]!.message, /send fewer fields a line/);
});

test('labels for every series cannot make a record grow without bound', () => {
  const query = new URLSearchParams({ extra_label: `x=${'y'.repeat(6000)}` }).toString();
  const body = 'a 1\n'.repeat(100_000);
  assert.throws(
    () => decode('prometheus_text', body, { 'penstock-query': query }),
    (error) => error instanceof PoisonError && error.reason === 'record_too_large',
  );
});

test('a decoder is as good as new after a record that it refused', () => {
  const decoder = createDecoders().find(({ name }) => name === 'opentsdb_http')!;
  const context = { headers: {}, timestamp: TIME, limits: DEFAULT_LIMITS };
  const good = '{"metric":"a","value":1}';
  const refused = Buffer.from(`[${good},${good},`);
  const poison = (error: unknown) => error instanceof PoisonError && error.reason === 'json';
  assert.throws(() => decoder.decode(refused, context), poison);
  assert.equal(decodeWriteRequest(decoder.decode(Buffer.from(good), context).body).series.length, 1);
});

test('the arguments of a record are those of the URL in vmagent', () => {
  const query = 'precision=ms&db=stats&extra_label=dc%3Dwest&extra_label=rack=';
  const decoded = decode('influx', 'm,host=a v=1 1700000000001\nm,db=own v=2', { 'Penstock-Query': query });
  assert.deepEqual(labelsOf(decoded), [
    [
      ['__name__', 'm_v'],
      ['host', 'a'],
      ['db', 'stats'],
      ['dc', 'west'],
      ['rack', ''],
    ],
    [
      ['__name__', 'm_v'],
      ['db', 'own'],
      ['dc', 'west'],
      ['rack', ''],
    ],
  ]);
  assert.deepEqual(timesOf(decoded), [1_700_000_000_001, TIME]);
  const text = decode('prometheus_text', 'a 1', {
    'penstock-query': 'timestamp=12345',
    'penstock-path': '/metrics/job@base64/YS9i/instance/c',
  });
  assert.deepEqual(labelsOf(text), [
    [
      ['__name__', 'a'],
      ['job', 'a/b'],
      ['instance', 'c'],
    ],
  ]);
  assert.deepEqual(timesOf(text), [12345]);
});

test('arguments of one record do not stay for the next', () => {
  const decoder = createDecoders().find(({ name }) => name === 'graphite')!;
  const run = (headers: RecordHeaders) =>
    labelsOf(decoder.decode(Buffer.from('a 1'), { headers, timestamp: TIME, limits: DEFAULT_LIMITS }))[0]!
      .length;
  assert.equal(run({ 'penstock-query': 'extra_label=a=b' }), 2);
  assert.throws(() => run({ 'penstock-query': 'extra_label=bad' }), PoisonError);
  assert.throws(() => run({ 'penstock-query': 'extra_label=bad' }), PoisonError);
  assert.equal(run({}), 1);
  assert.equal(run({ 'penstock-query': 'extra_label=a=b' }), 2);
});

test('malformed arguments are poison with that reason', () => {
  const poison = (error: unknown) => error instanceof PoisonError && error.reason === 'record_arguments';
  for (const query of [
    'extra_label=x',
    'extra_label=a=%zz',
    'extra_label=a=%e',
    'extra_label=100%',
    'extra_label=a=caf%E9',
    'extra_label=caf%E9=a',
    'db=%ff',
    Buffer.from('extra_label=a=caf\xe9', 'latin1').toString(),
    'timestamp=1.5',
    'timestamp=x',
    'timestamp=9007199254740993',
    `a=${'b'.repeat(9000)}`,
  ]) {
    assert.throws(() => decode('graphite', 'a 1', { 'penstock-query': query }), poison, query);
  }
  for (const path of ['/metrics/job/a/instance', '/metrics/job@base64/%%', '/metrics/job@base64/6Q']) {
    assert.throws(() => decode('graphite', 'a 1', { 'penstock-path': path }), poison, path);
  }
});

test('options of the encoding are defaults for the arguments of a record', () => {
  const options = { influx: { precision: 's', db_label: 'source', measurement_field_separator: ':' } };
  const configured = decode('influx', 'm v=1 5', {}, options);
  assert.deepEqual(timesOf(configured), [5000]);
  assert.deepEqual(labelsOf(configured), [[['__name__', 'm:v']]]);
  const overridden = decode('influx', 'm v=1 5', { 'penstock-query': 'precision=ms&db=x' }, options);
  assert.deepEqual(timesOf(overridden), [5]);
  assert.deepEqual(labelsOf(overridden)[0]!.at(-1), ['source', 'x']);
});

test('times that cannot be are set aside, not stored as something else', () => {
  for (const time of ['nan', 'inf', '1e300', '-1e19']) {
    assert.equal(decode('graphite', `a 1 ${time}`).rejects.length, 1, time);
    assert.equal(decode('prometheus_text', `a 1 ${time}`).rejects.length, 1, time);
    assert.equal(decode('opentsdb', `put a ${time} 1`).rejects.length, 1, time);
  }
});

test('exemplars of OpenMetrics are counted, comments are not', () => {
  const text = 'a_total{x="y"} 1 # {trace_id="t"} 0.5 1\na_total{x="z"} 2 # no {exemplar}\n# EOF\n';
  const decoded = decode('prometheus_text', text);
  assert.equal(labelsOf(decoded).length, 2);
  assert.deepEqual(decoded.uncarried, { exemplars: 1 });
  assert.equal(decode('prometheus_text', 'a 1').uncarried, undefined);
});

test('of arguments that are given twice the last label wins, whatever it is called', () => {
  const query =
    'extra_label=dc=a&extra_label=__proto__=b&extra_label=constructor=c&extra_label=dc=d%25&precision=s';
  const headers = { 'penstock-query': query, 'penstock-path': '/metrics/job/x/dc/y' };
  assert.deepEqual(labelsOf(decode('graphite', 'm 1', headers)), [
    [
      ['__name__', 'm'],
      ['job', 'x'],
      ['dc', 'd%'],
      ['__proto__', 'b'],
      ['constructor', 'c'],
    ],
  ]);
});
