import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS, type IngestLimits } from '../../../../src/core/decode/decoder.ts';
import { createDecoders, DecoderRegistry } from '../../../../src/core/decode/registry.ts';
import { type DeadLetter, Pipeline, type PipelineRoute } from '../../../../src/core/pipeline/pipeline.ts';
import type { StepOutput } from '../../../../src/core/pipeline/step.ts';
import { compileRelabel } from '../../../../src/core/relabel/compile.ts';
import { ProtobufReader } from '../../../../src/core/wire/protobuf-reader.ts';
import { uncompress } from '../../../../src/core/wire/snappy.ts';
import { WriteRequestBuilder } from '../../../../src/core/wire/write-request-builder.ts';
import { everyRoute, rawRecord, seriesRecord } from '../../../support/records.ts';

const MIB = 1024 * 1024;

function run(
  record: ReturnType<typeof rawRecord>,
  limits: Partial<IngestLimits> = {},
  route: PipelineRoute = everyRoute(),
): StepOutput {
  const step = new Pipeline({
    routes: [route],
    cacheBytes: MIB,
    maxRecordBytes: () => MIB,
    limits: { ...DEFAULT_LIMITS, ...limits },
    tenantHeaders: ['X-Scope-OrgID'],
  }).begin();
  step.process(record);
  return step.finish();
}

/** Values of the label __name__ of all series in snappy'd WriteRequests. */
function names(values: readonly (Buffer | null)[]): string[] {
  const found: string[] = [];
  for (const value of values) {
    const request = new ProtobufReader(uncompress(value!, 64 * MIB));
    while (request.next()) {
      const series = request.message();
      while (series.next()) {
        if (series.field !== 1) series.skip();
        else {
          const text = Buffer.from(series.bytes.subarray(series.block(), series.position)).toString('latin1');
          const name = /__name__..(.*)/s.exec(text)?.[1];
          if (name !== undefined) found.push(name);
        }
      }
    }
  }
  return found;
}

const letters = (dead: readonly DeadLetter[]) => dead.map(({ reason, series }) => [reason, series]);

/** A relabeler that takes so many milliseconds of CPU time a series. */
function slow(ms: number): PipelineRoute {
  return everyRoute({
    hasRules: true,
    rules: 1_000,
    relabeler: {
      apply: (labels) => {
        for (const end = process.cpuUsage().user + ms * 1000; process.cpuUsage().user < end; );
        return [...labels];
      },
    },
  });
}

test('a record that takes too long is sent up to there, and the rest of its series are set aside once', () => {
  const all = Array.from({ length: 200 }, (_, index) => `s${index}`);
  const { records, dead, counts } = run(seriesRecord(0, all), { record_time: 20 }, slow(2));
  const sent = names(records.map(({ value }) => value));
  const left = names(dead.map(({ value }) => value));
  assert.ok(sent.length > 0 && left.length > 0, `${sent.length} sent, ${left.length} left`);
  assert.deepEqual([...sent, ...left], all);
  assert.deepEqual(letters(dead), [['too_slow', left.length]]);
  assert.match(dead[0]!.message, /more than 20 ms .*these \d+ series were not looked at/);
  assert.deepEqual([counts.series, counts.deadSeries, counts.deadRecords], [sent.length, left.length, 0]);
  // Redriven it is a record of its own, with time of its own.
  const again = run({ ...seriesRecord(1, []), value: dead[0]!.value, headers: dead[0]!.headers });
  assert.deepEqual(names(again.records.map(({ value }) => value)), left);
});

test('fields that nobody knows, around a series, count too', () => {
  const unknown = Buffer.alloc(8 * MIB, Buffer.from([0x10, 2]));
  const record = seriesRecord(0, ['a']);
  const value = Buffer.concat([record.value!, unknown]);
  const { records, dead } = run({ ...record, value }, { record_time: 5 });
  assert.deepEqual(letters(dead), [['too_slow', 0]]);
  assert.equal(records.length, 0);
});

test('a record of a version that is not known is one dead letter, whatever it looks like', () => {
  const record = seriesRecord(0, ['a'], { 'penstock-version': '2' });
  const { records, dead } = run(record, {});
  assert.deepEqual(letters(dead), [['unknown_version', 0]]);
  assert.equal(dead[0]!.value, record.value);
  assert.deepEqual(dead[0]!.headers, record.headers);
  assert.equal(records.length, 0);
  assert.equal(run(seriesRecord(1, ['a'], { 'penstock-version': '1' }), {}).dead.length, 0);
});

test('what is left of a large record is cut into dead letters that each fit', () => {
  const all = Array.from({ length: 20_000 }, (_, index) => `s${index}`.padEnd(100, 'x'));
  const { records, dead } = run(seriesRecord(0, all), { record_time: 20 }, slow(5));
  assert.ok(dead.length > 3);
  for (const { value } of dead) assert.ok(uncompress(value!, MIB).length < 300_000);
  const found = [...names(records.map(({ value }) => value)), ...names(dead.map(({ value }) => value))];
  assert.deepEqual(found, all);
});

test('a decoder that takes too long, whatever it does with the error, costs the whole record', () => {
  const graphite = createDecoders().find(({ name }) => name === 'graphite')!;
  const decode = (_: Buffer, { budget }: Parameters<typeof graphite.decode>[1]) => {
    try {
      for (;;) budget!.spend();
    } catch {
      return { body: Buffer.from('0a00', 'hex'), rejects: [] };
    }
  };
  const registry = new DecoderRegistry('graphite', [
    ...createDecoders().filter(({ name }) => name !== 'graphite'),
    { ...graphite, decode },
  ]);
  const step = new Pipeline({
    routes: [everyRoute()],
    cacheBytes: MIB,
    maxRecordBytes: () => MIB,
    decoders: () => registry,
    limits: { ...DEFAULT_LIMITS, record_time: 10 },
  }).begin();
  const record = rawRecord(0, Buffer.from('a 1 1'), {});
  step.process(record);
  const { dead, records } = step.finish();
  assert.deepEqual(letters(dead), [['too_slow', 0]]);
  assert.equal(dead[0]!.value, record.value);
  assert.equal(records.length, 0);
});

test('beyond so many faults a record is not looked at any further', () => {
  const all = Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? `s${index}` : ''));
  const request = seriesRecord(0, all);
  const { records, dead } = run(request, { faults_per_record: 5, label_name_bytes: 8, label_value_bytes: 3 });
  assert.equal(dead.length, 0);
  assert.equal(records[0]!.series, 100);
  const long = all.map((name, index) => (index % 2 === 0 ? name : 'long'));
  const bad = run(seriesRecord(0, long), { faults_per_record: 5, label_value_bytes: 3 });
  // s0, long, s2, long, …: after the sixth long one nothing more is read.
  assert.deepEqual(letters(bad.dead), [
    ['too_many_faults', 88],
    ['label_value_too_long', 6],
  ]);
  assert.equal(bad.records[0]!.series, 6);
});

test('of a record with samples outside the time limits nothing is sent twice when it is cut off', () => {
  const all = Array.from({ length: 30 }, (_, index) => `s${index}`);
  const { records, dead } = run(seriesRecord(0, all), { faults_per_record: 3, max_age: 60_000 });
  assert.equal(records.length, 0);
  assert.deepEqual(letters(dead), [
    ['too_many_faults', 26],
    ['sample_too_old', 4],
  ]);
});

for (const [what, value, fault] of [
  ['too long', 'x'.repeat(1025), /has 1025 bytes, more than the limit of 1024/],
  ['a line feed', 'a\nb', /control character/],
  ['a NUL', 'a\0b', /control character/],
  ['not UTF-8', Buffer.from([0x61, 0xff]), /not UTF-8/],
] as const) {
  test(`a tenant header that cannot name a tenant costs its record: ${what}`, () => {
    const record = seriesRecord(0, ['a'], { 'x-scope-orgid': value });
    const { records, dead } = run(record);
    assert.equal(records.length, 0);
    assert.deepEqual(letters(dead), [['tenant', 0]]);
    assert.match(dead[0]!.message, fault);
    assert.equal(dead[0]!.value, record.value);
  });
}

for (const value of [null, '', '  ', Buffer.alloc(0)]) {
  test(`a tenant header ${JSON.stringify(value)} is as absent`, () => {
    const { records } = run(seriesRecord(0, ['a'], { 'X-Scope-OrgID': value }));
    assert.deepEqual(records[0]!.tenant.headers, {});
  });
}

test('a series is not split where each part would be next to nothing but its labels', () => {
  const builder = new WriteRequestBuilder();
  builder.beginSeries();
  builder.label('__name__', 'x'.repeat(850_000));
  for (let i = 0; i < 20_000; i++) builder.sample(1, 1_760_000_000_000 + i);
  builder.endSeries();
  const record = { ...seriesRecord(0, []), value: builder.finish() };
  const { records, dead } = run(record, { label_value_bytes: 0 });
  assert.deepEqual(letters(dead), [['series_too_large', 1]]);
  assert.equal(records.length, 0);
});

/** A record with one series of so many labels, in no order. */
function manyLabels(count: number, valueBytes = 1) {
  const builder = new WriteRequestBuilder();
  builder.beginSeries();
  for (let i = 0; i < count; i++) builder.label(`l${(i * 7_919) % count}`, 'v'.repeat(valueBytes));
  builder.sample(1, 1_760_000_000_000);
  builder.endSeries();
  return rawRecord(0, builder.finish());
}

test('without a limit a series has ten thousand labels at most', () => {
  const none = { labels_per_series: 0 };
  assert.equal(run(manyLabels(10_000), none).counts.series, 1);
  assert.deepEqual(letters(run(manyLabels(10_001), none).dead), [['too_many_labels', 1]]);
  assert.deepEqual(letters(run(manyLabels(10_001), { labels_per_series: 1e9 }).dead), [
    ['too_many_labels', 1],
  ]);
});

for (const dialect of ['victoriametrics', 'prometheus'] as const) {
  test(`${dialect}: the rules for one series of many labels end when the record has had its time`, () => {
    const rules = Array.from({ length: 60 }, (_, i) => ({
      action: 'labelmap',
      regex: `l(\\d*${i % 10})`,
      replacement: `m${i}_$1`,
    }));
    const relabeler = compileRelabel(rules, dialect);
    const route = everyRoute({ hasRules: true, rules: rules.length, relabeler });
    const before = process.threadCpuUsage().user;
    const { dead, counts } = run(manyLabels(10_000), { labels_per_series: 0, record_time: 200 }, route);
    const ms = (process.threadCpuUsage().user - before) / 1000;
    assert.deepEqual(letters(dead), [['too_slow', 1]]);
    assert.equal(counts.series, 0);
    assert.ok(ms < 1_500, `${ms} ms`);
  });
}

test('the headers of a record are not gone through again for each part that is set aside', () => {
  let passes = 0;
  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`h${i}`, Buffer.from('x')]));
  const headers = new Proxy(
    {
      ...many,
      'Content-Type': Buffer.from('text/plain; version=0.0.4'),
      'Penstock-Redriven': Buffer.from('2'),
    },
    {
      ownKeys: (target) => {
        passes++;
        return Reflect.ownKeys(target);
      },
    },
  );
  const { dead } = run({ ...rawRecord(0, Buffer.from('{\n'.repeat(1_000))), headers });
  assert.ok(dead.length > 100);
  assert.equal(dead[0]!.headers['penstock-redriven'], '2');
  assert.ok(passes < 20, `${passes} passes`);
});
