import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS, type Decoder } from '../../../src/decode/decoder.ts';
import { otlpDecoder } from '../../../src/decode/otlp.ts';
import { otlpJsonDecoder } from '../../../src/decode/otlp-json.ts';
import { PoisonError } from '../../../src/model/errors.ts';
import { otlpJsonBodies, vectorBodies } from '../../fuzz/binary-seeds.ts';
import { readOtlp } from '../../support/otlp.ts';
import { decodeWriteRequest } from '../../support/prompb.ts';

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
