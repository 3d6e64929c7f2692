import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS, type Decoder } from '../../../../../src/core/decode/decoder.ts';
import { otlpJsonDecoder } from '../../../../../src/core/decode/otlp/json.ts';
import { otlpDecoder } from '../../../../../src/core/decode/otlp/protobuf.ts';
import { PoisonError } from '../../../../../src/core/model/errors.ts';
import { otlpJsonBodies, vectorBodies } from '../../../../fuzz/binary-seeds.ts';
import { decodeWriteRequest } from '../../../../lab/truth/prompb.ts';
import { readOtlp } from '../../../../support/otlp.ts';

const context = { headers: {}, timestamp: 0, limits: DEFAULT_LIMITS };
const series = (decoder: Decoder, body: Buffer) =>
  decodeWriteRequest(decoder.decode(body, context).body).series.map(({ labels, samples }) => {
    // JSON.stringify knows no -0.
    return {
      labels,
      samples: samples.map(({ bits, timestamp }) => [bits === 1n << 63n ? 0n : bits, timestamp]),
    };
  });

/** Kinds of NaN are lost in JSON. */
const hasNan = (request: object) => JSON.stringify(request).includes('"NaN"');

test('what is said in JSON becomes the same series as in protobuf', () => {
  let compared = 0;
  for (const body of vectorBodies('ingest-otlp.json')) {
    let request: object;
    let expected: unknown;
    try {
      request = readOtlp(body);
      expected = series(otlpDecoder(), body);
    } catch {
      continue;
    }
    // Bytes that protobufjs is more lenient with are not what is compared here.
    if (hasNan(request) || otlpDecoder().decode(body, context).rejects.length > 0) continue;
    assert.deepEqual(series(otlpJsonDecoder(), Buffer.from(JSON.stringify(request))), expected);
    compared++;
  }
  assert.ok(compared > 5, `${compared} compared`);
});

test('a metric that cannot be read is set aside alone, with its resource and scope', () => {
  const [all] = otlpJsonBodies().slice(-2) as [Buffer];
  const request = JSON.parse(all.toString());
  const good = series(otlpJsonDecoder(), all);
  const bad = { name: 'bad', gauge: { dataPoints: [{ asDouble: 1 }, { asInt: 'x' }] } };
  request.resourceMetrics[0].scopeMetrics[0].metrics.splice(1, 0, bad, { gauge: {} });
  const { rejects, uncarried } = otlpJsonDecoder().decode(Buffer.from(JSON.stringify(request)), context);
  assert.deepEqual(series(otlpJsonDecoder(), Buffer.from(JSON.stringify(request))), good);
  assert.equal(rejects.length, 1);
  const [{ value, message, reason }] = rejects as [(typeof rejects)[0]];
  assert.equal(reason, 'otlp_metric');
  assert.match(message, /asInt is not a whole number of 64 bits \(the first of 2 metrics\)/);
  const { resourceMetrics } = JSON.parse(value.toString());
  assert.deepEqual(resourceMetrics[0].resource, request.resourceMetrics[0].resource);
  assert.deepEqual(resourceMetrics[0].scopeMetrics[0].metrics, [bad, { gauge: {} }]);
  assert.equal(uncarried?.['start_timestamp'], 6);
});

test('a record that is not OTLP is refused', () => {
  for (const text of ['', '[]', '7', '{}', '{"resourceMetrics":{}}', '{"resourceMetrics":[7]}']) {
    assert.throws(() => otlpJsonDecoder().decode(Buffer.from(text), context), PoisonError, text);
  }
});

test('deep nesting is refused or passed over, not followed', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const metric = (members: string) =>
    Buffer.from(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{${members}}]}]}]}`);
  const { rejects } = otlpJsonDecoder().decode(metric(`"gauge":${deep}`), context);
  assert.equal(rejects.length, 1);
  const value = '{"arrayValue":{"values":['.repeat(40) + ']}}'.repeat(40);
  const point = `"name":"a","gauge":{"dataPoints":[{"attributes":[{"key":"k","value":${value}}]}]}`;
  assert.match(otlpJsonDecoder().decode(metric(point), context).rejects[0]!.message, /nest deeper/);
});

test('names of the .proto files are read as deep as values may nest', () => {
  const nested = (depth: number, list: string, text: string) =>
    `${`{"${list}":{"values":[{"key":"k","value":`.repeat(depth)}{"${text}":"x"}${'}]}}'.repeat(depth)}`;
  const told = (depth: number, list: string, text: string) =>
    read(
      `{"resource_metrics":[{"scope_metrics":[{"metrics":[{"name":"m","gauge":{"data_points":[{"as_int":1,"attributes":[{"key":"k","value":${nested(depth, list, text)}}]}]}}]}]}]}`,
    );
  for (const depth of [1, 12, 13, 20, 32]) {
    const { told: series, rejects } = told(depth, 'kvlist_value', 'string_value');
    assert.deepEqual([series.length, rejects], [1, []], `${depth}`);
    assert.deepEqual(series, told(depth, 'kvlistValue', 'stringValue').told);
  }
  for (const depth of [33, 200])
    assert.match(told(depth, 'kvlist_value', 'string_value').rejects[0]!.message, /nest deeper than 32/);
});

test('a request without any metric is counted as empty, in JSON and in protobuf', () => {
  const bodies = ['', '0a00', '0a021200', '7801', '0a027801'];
  for (const hex of bodies) {
    const { uncarried, rejects } = otlpDecoder().decode(Buffer.from(hex, 'hex'), context);
    assert.deepEqual([uncarried?.['empty_record'], rejects], [1, []], hex);
  }
  for (const item of ['', '{}', '{"scopeMetrics":[]}', '{"scopeMetrics":[{}]}'])
    assert.equal(read(`{"resourceMetrics":[${item}]}`).uncarried?.['empty_record'], 1, item);
  const unnamed = otlpDecoder().decode(Buffer.from('0a0412021200', 'hex'), context);
  assert.deepEqual([unnamed.rejects.length, unnamed.uncarried?.['empty_record']], [1, undefined]);
});

/** The series of metrics in one scope, as `name{…} value @ms`; the rest of what is decoded. */
function read(body: string | Buffer) {
  const {
    body: request,
    rejects,
    uncarried,
  } = otlpJsonDecoder().decode(Buffer.from(body as string), context);
  const told = decodeWriteRequest(request).series.map(({ labels, samples }) => {
    const { __name__: name, ...rest } = Object.fromEntries(labels);
    const bits = Buffer.alloc(8);
    bits.writeBigUInt64BE(samples[0]!.bits);
    return `${name}${JSON.stringify(rest)} ${bits.readDoubleBE()} @${samples[0]!.timestamp}`;
  });
  return { told, rejects, uncarried };
}
const request = (metric: string) =>
  `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m",${metric}}]}]}]}`;
const gauge = (point: string) => request(`"gauge":{"dataPoints":[{${point}}]}`);

const POINTS: readonly [point: string, expected: string][] = [
  ['"asInt":1,"timeUnixNano":1700000000001000000', 'm{} 1 @1700000000001'],
  ['"asInt":1,"timeUnixNano":1700000000001999999', 'm{} 1 @1700000000001'],
  ['"asInt":1,"timeUnixNano":1.7e18', 'm{} 1 @1700000000000'],
  ['"asInt":1,"timeUnixNano":1.700000000001e+18', 'm{} 1 @1700000000001'],
  ['"asInt":1,"timeUnixNano":"1.7e18"', 'm{} 1 @1700000000000'],
  ['"asInt":9007199254740993', 'm{} 9007199254740992 @0'],
  ['"asDouble":NaN', 'm{} NaN @0'],
  ['"asDouble":-Infinity', 'm{} -Infinity @0'],
  ['"asDouble":1e400', 'm{} Infinity @0'],
  [
    '"asInt":1,"attributes":[{"key":"id","value":{"intValue":9007199254740993}}]',
    'm{"id":"9007199254740993"} 1 @0',
  ],
  [
    '"asInt":1,"attributes":[{"key":"id","value":{"arrayValue":{"values":[{"intValue":738529527931269425}]}}}]',
    'm{"id":"[738529527931269425]"} 1 @0',
  ],
];
for (const [point, expected] of POINTS) {
  test(`digits as they are written: ${point}`, () => assert.deepEqual(read(gauge(point)).told, [expected]));
}

test('NaN in one metric takes none of the others with it', () => {
  const { told, rejects } = read(
    request('"gauge":{"dataPoints":[{"asDouble":NaN},{"asDouble":1},{"asInt":1.5}]}'),
  );
  assert.deepEqual([told, rejects.length], [[], 1]);
  assert.deepEqual(read(request('"gauge":{"dataPoints":[{"asDouble":NaN},{"asDouble":1}]}')).told.length, 2);
});

const OLD: readonly [body: string, expected: string][] = [
  [
    '{"resourceMetrics":[{"instrumentationLibraryMetrics":[{"instrumentationLibrary":{"name":"l"},"metrics":[{"name":"m","gauge":{"dataPoints":[{"asInt":"1"}]}}]}]}]}',
    'm{"scope.name":"l","scope.version":"unknown"} 1 @0',
  ],
  [
    request(
      '"intGauge":{"dataPoints":[{"labels":[{"key":"a","value":"b"}],"value":"5","timeUnixNano":"1000000"}]}',
    ),
    'm{"a":"b"} 5 @1',
  ],
  [request('"doubleSum":{"isMonotonic":true,"dataPoints":[{"value":1.5}]}'), 'm{} 1.5 @0'],
  [
    '{"resource_metrics":[{"resource":{"attributes":[{"key":"r","value":{"string_value":"x_y"}}]},"scope_metrics":[{"metrics":[{"name":"m","gauge":{"data_points":[{"as_double":2,"time_unix_nano":"1000000"}]}}]}]}]}',
    'm{"r":"x_y"} 2 @1',
  ],
];
for (const [body, expected] of OLD) {
  test(`older and other names: ${body}`, () => {
    const { told, rejects } = read(body);
    assert.deepEqual([told, rejects], [[expected], []]);
  });
}

const UNKNOWN: readonly [body: string, name: RegExp][] = [
  ['{"resourceMetrics":[{"libraries":[{}]}]}', /no scopeMetrics, but "libraries"/],
  ['{"resourceMetrics":[{"scopeMetrics":[{"points":[{}]}]}]}', /no metrics, but "points"/],
  [request('"distribution":{}'), /"m" has no data that is known, but "distribution"/],
  [request('"gauge":{"points":[]}'), /no gauge.dataPoints, but "points"/],
  [gauge('"val":5'), /neither asInt nor asDouble, but "val"/],
  [gauge('"asInt":1,"tags":{"host":"a"}'), /no attributes in a data point, but "tags"/],
  [
    gauge('"asInt":1,"attributes":[{"Key":"a","Value":{}}]'),
    /not a key and a value in attributes, but "Key"/,
  ],
  [gauge('"asInt":1,"attributes":[{"key":"a","value":{"str":"x"}}]'), /value that is known.*but "str"/],
  [gauge('"value":1,"labels":[{"name":"a","value":"x"}]'), /not a key and a value in labels, but "name"/],
  [
    '{"resourceMetrics":[{"resource":{"labels":{"host":"a"}},"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"asInt":1}]}}]}]}]}',
    /no resource.attributes, but "labels"/,
  ],
];
for (const [body, name] of UNKNOWN) {
  test(`what is not known is set aside, not lost: ${body}`, () => {
    const { told, rejects } = read(body);
    assert.deepEqual([told, rejects.length], [[], 1]);
    assert.match(rejects[0]!.message, name);
    assert.deepEqual(read(rejects[0]!.value).rejects.length, 1);
  });
}

test('traces and logs are refused by name', () => {
  for (const name of ['resourceSpans', 'resourceLogs', 'foo']) {
    assert.throws(() => read(`{"${name}":[{}]}`), new RegExp(`it has "${name}"`));
  }
});

test('unknown members beside known ones are counted, and so is a request without metrics', () => {
  assert.equal(read(request('"gauge":{"dataPoints":[{"asInt":1}]},"x":1')).uncarried?.['unknown_field'], 1);
  assert.equal(read('{"resourceMetrics":[]}').uncarried?.['empty_record'], 1);
});

test('a metric that is not UTF-8 is set aside alone, with the bytes that came', () => {
  const bad =
    '{"name":"b","gauge":{"dataPoints":[{"asInt":1,"attributes":[{"key":"c","value":{"stringValue":"M\xfc\\\\udcfc"}}]}]}}';
  const good = '{"name":"g","gauge":{"dataPoints":[{"asInt":1}]}}';
  const body = Buffer.from(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[${bad},${good}]}]}]}`, 'latin1');
  const { told, rejects } = read(body);
  assert.deepEqual(told, ['g{} 1 @0']);
  assert.match(rejects[0]!.message, /not UTF-8/);
  assert.ok(
    rejects[0]!.value.includes(Buffer.from('"M\xfc\\\\udcfc"', 'latin1')),
    rejects[0]!.value.toString('latin1'),
  );
  assert.equal(
    read(gauge('"asInt":1,"attributes":[{"key":"\\ud800","value":{"intValue":1}}]')).rejects.length,
    1,
  );
});

test('lists of any length are counted before they are read', () => {
  const many = (item: string) => `${`${item},`.repeat(20_000)}${item}`;
  for (const body of [
    request(`"histogram":{"dataPoints":[{"bucketCounts":[${many('0')}]}]}`),
    request(`"exponentialHistogram":{"dataPoints":[{"positive":{"bucketCounts":[${many('0')}]}}]}`),
    request(`"summary":{"dataPoints":[{"quantileValues":[${many('{}')}]}]}`),
    gauge(`"attributes":[${many('{}')}]`),
    gauge(`"attributes":[{"key":"a","value":{"arrayValue":{"values":[${many('{}')}]}}}]`),
  ]) {
    assert.match(read(body).rejects[0]!.message, /more than 10000/);
  }
});

test('null is the default, for members and for elements', () => {
  assert.deepEqual(read(request('"gauge":{"dataPoints":[null]}')).told, ['m{} 0 @0']);
  assert.deepEqual(read(request('"gauge":null,"sum":{"dataPoints":null}')).told, []);
  assert.deepEqual(read(gauge('"asInt":null,"asDouble":null,"flags":null,"attributes":null')).told, [
    'm{} 0 @0',
  ]);
});
