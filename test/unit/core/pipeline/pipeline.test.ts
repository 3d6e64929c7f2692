import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS, type Decoder } from '../../../../src/core/decode/decoder.ts';
import { DecoderRegistry } from '../../../../src/core/decode/registry.ts';
import { remoteWriteV1 } from '../../../../src/core/decode/remote-write/v1.ts';
import { type Labels, labelValue } from '../../../../src/core/model/labels.ts';
import type { SourceRecord } from '../../../../src/core/model/records.ts';
import {
  Pipeline,
  type PipelineOptions,
  type PipelineRoute,
} from '../../../../src/core/pipeline/pipeline.ts';
import type { Step } from '../../../../src/core/pipeline/step.ts';
import { compress, uncompress } from '../../../../src/core/wire/snappy.ts';
import { WriteRequestBuilder } from '../../../../src/core/wire/write-request-builder.ts';
import { decodeWriteRequest } from '../../../lab/truth/prompb.ts';

const NOW = 1_760_000_000_000;

function route(index: number, overrides: Partial<PipelineRoute> = {}): PipelineRoute {
  return {
    name: `route${index}`,
    index,
    topic: `metrics.tasks.route${index}`,
    selectors: [],
    relabeler: { apply: (labels) => labels },
    hasRules: false,
    task: (labels) => labelValue(labels, 'service').length % 4,
    taskLabel: 'stream_task_id',
    count: 4,
    ...overrides,
  };
}

function pipelineOf(routes: PipelineRoute[], options: Partial<PipelineOptions> = {}): Pipeline {
  return new Pipeline({ routes, cacheBytes: 1 << 20, maxRecordBytes: () => 1_000_000, ...options });
}

function body(...series: Record<string, string>[]): Buffer {
  const builder = new WriteRequestBuilder();
  for (const labels of series) {
    builder.beginSeries();
    for (const [name, value] of Object.entries(labels)) builder.label(name, value);
    builder.sample(1, NOW);
    builder.endSeries();
  }
  return builder.finish();
}

function source(value: Buffer | null, more: Partial<SourceRecord> = {}): SourceRecord {
  return { value, headers: {}, timestamp: NOW, topic: 'metrics.raw', partition: 2, offset: 5n, ...more };
}

/** All that a step sends on: partition and labels of each series. */
function sent(step: Step): [string, number, Record<string, string>][] {
  return step
    .finish()
    .records.flatMap(({ topic, partition, value }) =>
      decodeWriteRequest(uncompress(value, 1 << 30)).series.map(
        ({ labels }) =>
          [topic, partition, Object.fromEntries(labels)] as [string, number, Record<string, string>],
      ),
    );
}

test('a series goes to every route that matches, relabeled, with its task', () => {
  const shop = route(1, {
    selectors: [{ matches: (labels) => labelValue(labels, 'namespace') === 'shop' }],
    relabeler: { apply: (labels: Labels) => labels.filter(({ name }) => name !== 'pod') },
    hasRules: true,
  });
  const pipeline = pipelineOf([route(0), shop]);
  const cart = { __name__: 'up', namespace: 'shop', pod: 'p', service: 'cart', zone: 'z' };
  const dns = { __name__: 'up', namespace: 'kube', pod: 'q', service: 'dns', zone: 'z' };
  for (let round = 0; round < 3; round++) {
    const step = pipeline.begin();
    step.process(source(compress(body(cart, dns))));
    assert.deepEqual(sent(step), [
      ['metrics.tasks.route0', 0, { ...cart, stream_task_id: '0' }],
      ['metrics.tasks.route0', 3, { ...dns, stream_task_id: '3' }],
      [
        'metrics.tasks.route1',
        0,
        { __name__: 'up', namespace: 'shop', service: 'cart', stream_task_id: '0', zone: 'z' },
      ],
    ]);
  }
});

test('output labels are in byte order of names, whatever the order of the input', () => {
  const step = pipelineOf([route(0)]).begin();
  step.process(source(compress(body({ zone: 'z', stream_task_id: 'old', service: 'cart', __name__: 'up' }))));
  const { records } = step.finish();
  const { series } = decodeWriteRequest(uncompress(records[0]!.value, 1 << 30));
  assert.deepEqual(series[0]!.labels, [
    ['__name__', 'up'],
    ['service', 'cart'],
    ['stream_task_id', '0'],
    ['zone', 'z'],
  ]);
});

const WHOLE_RECORDS: Record<string, [Buffer | null, string]> = {
  'a null value': [null, 'null_value'],
  'an empty record': [Buffer.alloc(0), 'empty_record'],
  'broken snappy': [Buffer.from('ff', 'hex'), 'snappy'],
  'a length that claims 4 GiB': [Buffer.from('ffffffff0f00', 'hex'), 'record_too_large'],
  'truncated protobuf': [compress(Buffer.concat([body({ a: 'b' }), Buffer.from('0a', 'hex')])), 'protobuf'],
};

for (const [name, [value, reason]] of Object.entries(WHOLE_RECORDS)) {
  test(`${name}: one dead letter, ${reason}, and the step goes on`, () => {
    const step = pipelineOf([route(0)]).begin();
    const record = source(value, { headers: { 'X-Test': 'kept' } });
    step.process(record);
    step.process(source(compress(body({ a: 'b' }))));
    const { records, dead, counts } = step.finish();
    assert.equal(dead.length, 1);
    const [letter] = dead;
    assert.equal(letter!.reason, reason);
    assert.equal(letter!.stage, 'decode');
    assert.equal(letter!.source, record);
    assert.equal(letter!.value, value);
    assert.deepEqual(letter!.headers, { 'X-Test': 'kept' });
    assert.equal(records.length, 1);
    assert.deepEqual([counts.records, counts.deadRecords, counts.series], [2, 1, 1]);
  });
}

test('a bad series is set aside alone, as a request of its own', () => {
  const good = body({ a: '1' });
  const noName = body({ '': 'x' });
  const step = pipelineOf([route(0)], { tenantHeaders: ['X-Scope-OrgID'] }).begin();
  const headers = { 'x-scope-orgid': Buffer.from('team'), other: 'o' };
  step.process(source(compress(Buffer.concat([good, noName, good, noName])), { headers }));
  const { records, dead, counts } = step.finish();
  assert.equal(records[0]!.series, 2);
  assert.deepEqual([counts.series, counts.deadSeries, counts.deadRecords], [2, 2, 0]);
  assert.equal(dead.length, 1);
  assert.equal(dead[0]!.reason, 'empty_label_name');
  assert.equal(dead[0]!.series, 2);
  assert.deepEqual(uncompress(dead[0]!.value!, 1 << 20), Buffer.concat([noName, noName]));
  assert.deepEqual(dead[0]!.headers, {
    'X-Scope-OrgID': 'team',
    'content-type': 'application/x-protobuf;proto=prometheus.WriteRequest',
    'content-encoding': 'snappy',
  });
});

test('tenants have records of their own, with their headers', () => {
  const step = pipelineOf([route(0)], { tenantHeaders: ['AccountID', 'ProjectID'] }).begin();
  const value = compress(body({ a: '1' }));
  for (const headers of [{}, { AccountID: '1' }, { AccountID: '1', ProjectID: '2' }, { AccountID: '1' }]) {
    step.process(source(value, { headers }));
  }
  const { records } = step.finish();
  assert.deepEqual(
    records.map(({ tenant, series }) => [tenant.headers, series]),
    [
      [{}, 1],
      [{ AccountID: '1' }, 2],
      [{ AccountID: '1', ProjectID: '2' }, 1],
    ],
  );
});

test('what cannot be carried, dropped or matched is counted', () => {
  const dropsB = route(0, {
    selectors: [{ matches: (labels) => labelValue(labels, 'c') === '' }],
    relabeler: { apply: (labels) => (labelValue(labels, 'b') === '' ? labels : undefined) },
    hasRules: true,
    groupLabels: ['a', 'x'],
  });
  const step = pipelineOf([dropsB]).begin();
  const metadata = Buffer.from('1a020801' + '7801', 'hex');
  const series = body({ a: '1' }, { b: '1' }, { c: '1' });
  const value = compress(Buffer.concat([series, metadata]));
  step.process(source(value));
  step.process(source(value, { timestamp: NOW - 5 }));
  const { counts, records } = step.finish();
  assert.equal(records[0]!.timestamp, NOW - 5);
  assert.deepEqual(counts, {
    records: 2,
    bytes: value.length * 2,
    decodedBytes: (series.length + metadata.length) * 2,
    series: 6,
    samples: 6,
    histograms: 0,
    exemplars: 0,
    unroutedSeries: 2,
    unroutedSamples: 2,
    unroutedExample: [{ name: 'c', value: '1' }],
    deadRecords: 0,
    deadSeries: 0,
    metadata: 2,
    unknownFields: 2,
    uncarried: {},
    outOfRange: {},
    oldestSampleMs: NOW,
    newestSampleMs: NOW,
    routes: [
      { series: 2, samples: 2, droppedSeries: 2, droppedSamples: 2, newSeries: 1, newWithoutLabel: [0, 1] },
    ],
  });
});

test('a reload takes effect with the next step, and not half-way', () => {
  const pipeline = pipelineOf([route(0)]);
  const step = pipeline.begin();
  const value = compress(body({ a: '1' }));
  step.process(source(value));
  pipeline.replace({ routes: [route(0, { topic: 'new', count: 9, task: () => 8 })] });
  step.process(source(value));
  assert.deepEqual(
    sent(step).map(([topic, task]) => [topic, task]),
    [
      ['metrics.tasks.route0', 0],
      ['metrics.tasks.route0', 0],
    ],
  );
  const next = pipeline.begin();
  next.process(source(value));
  assert.deepEqual(
    sent(next).map(([topic, task]) => [topic, task]),
    [['new', 8]],
  );
  assert.equal(pipeline.cacheStats.series, 1);
});

test('steps share what is known of series, not what they hold', () => {
  const pipeline = pipelineOf([route(0)]);
  const steps = [pipeline.begin(), pipeline.begin()];
  const value = compress(body({ a: '1' }, { a: '2' }));
  steps[0]!.process(source(value));
  steps[1]!.process(source(value));
  assert.equal(pipeline.cacheStats.missed, 2);
  for (let i = 0; i < 3; i++) steps[0]!.process(source(value));
  // The order is known after the first request; the way from the last series to the first is learned at its first use.
  assert.deepEqual(
    [pipeline.cacheStats.missed, pipeline.cacheStats.found, pipeline.cacheStats.predicted],
    [2, 2, 6],
  );
  assert.deepEqual(
    steps.map((step) => step.finish().counts.series),
    [8, 2],
  );
  assert.throws(() => steps[0]!.process(source(value)), /once/);
});

test('a record with too many series is refused as a whole', () => {
  const limits = { ...DEFAULT_LIMITS, series_per_record: 2 };
  const step = pipelineOf([route(0)], { limits }).begin();
  step.process(source(compress(body({ a: '1' }, { a: '2' }))));
  step.process(source(compress(body({ a: '1' }, { a: '2' }, { a: '3' }))));
  const { counts, dead } = step.finish();
  assert.deepEqual([counts.series, dead.map(({ reason }) => reason)], [2, ['too_many_series']]);
});

test('a series too large for a record is split by samples', () => {
  const builder = new WriteRequestBuilder();
  builder.beginSeries();
  builder.label('a', 'x');
  for (let i = 0; i < 1000; i++) builder.sample(i, NOW + i);
  builder.endSeries();
  const step = pipelineOf([route(0)], { maxRecordBytes: () => 1500 }).begin();
  step.process(source(compress(builder.finish())));
  const { records, counts, dead } = step.finish();
  assert.ok(records.length > 10);
  assert.ok(records.every(({ value }) => value.length <= 1500));
  const series = records.flatMap(({ value }) => decodeWriteRequest(uncompress(value, 1 << 20)).series);
  const times = series.flatMap(({ samples }) => samples.map(({ timestamp }) => Number(timestamp)));
  assert.deepEqual(
    times,
    Array.from({ length: 1000 }, (_, i) => NOW + i),
  );
  assert.deepEqual(
    [counts.series, counts.samples, counts.routes[0]!.samples, dead.length],
    [1, 1000, 1000, 0],
  );
});

test('what a decoder rejects becomes a dead letter of its own', () => {
  const picky: Decoder = {
    ...remoteWriteV1,
    decode: (bytes) => ({
      body: bytes,
      rejects: [
        {
          reason: 'bad_line',
          message: 'line 3',
          value: Buffer.from('x'),
          contentType: 'text/x-influx-line-protocol',
        },
      ],
    }),
  };
  const registry = new DecoderRegistry('auto', [picky]);
  const step = pipelineOf([route(0)], { decoders: () => registry }).begin();
  step.process(source(compress(body({ a: '1' }))));
  const { records, dead } = step.finish();
  assert.equal(records.length, 1);
  assert.deepEqual(
    dead.map(({ reason, value, headers }) => [reason, value?.toString(), headers]),
    [['bad_line', 'x', { 'content-type': 'text/x-influx-line-protocol' }]],
  );
});

test('a broken route is a defect, not bad input', () => {
  const step = pipelineOf([route(0, { task: () => 4 })]).begin();
  assert.throws(() => step.process(source(compress(body({ a: '1' })))), /task 4 is outside 0 … 3/);
  assert.throws(() => pipelineOf([route(1)]), RangeError);
});
