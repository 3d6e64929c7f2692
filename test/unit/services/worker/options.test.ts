import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DEFAULT_GRAPHITE,
  DEFAULT_INFLUX,
  DEFAULT_OPENTSDB,
  DEFAULT_OPENTSDB_HTTP,
  DEFAULT_OTLP,
} from '../../../../src/core/decode/decode-options.ts';
import { DEFAULT_LIMITS } from '../../../../src/core/decode/decoder.ts';
import { DECODERS } from '../../../../src/core/decode/registry.ts';
import { topicDecoders } from '../../../../src/core/decode/topic-decoders.ts';
import { INGEST_ENCODINGS } from '../../../../src/services/worker/encoding-options.ts';
import { ingestTopics, workerOptions } from '../../../../src/services/worker/options.ts';
import { decodeWriteRequest } from '../../../lab/truth/prompb.ts';

test('the encodings of the configuration are those of the decoders', () => {
  assert.deepEqual([...INGEST_ENCODINGS].sort(), ['auto', ...DECODERS.map(({ name }) => name)].sort());
});

test('the defaults of the configuration are those of the decoders', () => {
  const { influx, graphite, opentsdb, opentsdb_http, otlp, limits } = workerOptions.parse({});
  assert.deepEqual(
    { influx, graphite, opentsdb, opentsdb_http, otlp },
    {
      influx: DEFAULT_INFLUX,
      graphite: DEFAULT_GRAPHITE,
      opentsdb: DEFAULT_OPENTSDB,
      opentsdb_http: DEFAULT_OPENTSDB_HTTP,
      otlp: DEFAULT_OTLP,
    },
  );
  assert.deepEqual(limits, { ...DEFAULT_LIMITS, max_age: 0, max_future: 600_000 });
});

test('one topic is the simple form', () => {
  const [only, ...others] = ingestTopics(workerOptions.parse({ topic: 'a', encoding: 'influx' }));
  assert.equal(others.length, 0);
  assert.deepEqual([only.topic, only.encoding], ['a', 'influx']);
});

test('of several topics each has what it says itself, and the rest as for all', () => {
  const options = workerOptions.parse({
    encoding: 'influx',
    influx: { measurement_field_separator: '.' },
    topics: [
      { topic: 'ms', influx: { precision: 'ms' } },
      { topic: 's', influx: { precision: 's' } },
      { topic: 'x', encoding: 'graphite' },
    ],
  });
  const decoders = topicDecoders(ingestTopics(options));
  const decode = (topic: string, text: string) => {
    const context = { headers: {}, timestamp: 7, limits: DEFAULT_LIMITS };
    const { body } = decoders(topic).decode(Buffer.from(text), context);
    const [series] = decodeWriteRequest(body).series;
    return [Object.fromEntries(series!.labels)['__name__'], Number(series!.samples[0]!.timestamp)];
  };
  assert.deepEqual(decode('ms', 'cpu v=1 1700000000'), ['cpu.v', 1_700_000_000]);
  assert.deepEqual(decode('s', 'cpu v=1 1700000000'), ['cpu.v', 1_700_000_000_000]);
  assert.deepEqual(decode('x', 'cpu.v 1 1700000000'), ['cpu.v', 1_700_000_000_000]);
});
