import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../../../src/core/decode/decoder.ts';
import { Pipeline, type PipelineRoute } from '../../../../src/core/pipeline/pipeline.ts';
import { splitByTime } from '../../../../src/core/pipeline/sample-age.ts';
import { SeriesBytes } from '../../../../src/core/wire/series-walk.ts';
import { compress, uncompress } from '../../../../src/core/wire/snappy.ts';
import { WriteRequestBuilder } from '../../../../src/core/wire/write-request-builder.ts';
import { workerOptions } from '../../../../src/services/worker/options.ts';
import { decodeWriteRequest } from '../../../lab/truth/prompb.ts';

const NOW = 1_760_000_000_000;
const HOUR = 3_600_000;

/** Series by their label `a`, each with samples at these times. */
function body(series: Readonly<Record<string, readonly number[]>>): Buffer {
  const builder = new WriteRequestBuilder();
  for (const [name, times] of Object.entries(series)) {
    builder.beginSeries();
    builder.label('a', name);
    for (const time of times) builder.sample(time - NOW, time);
    builder.endSeries();
  }
  return compress(builder.finish());
}

function timesOf(value: Buffer): Record<string, number[]> {
  const { series } = decodeWriteRequest(uncompress(value, 1 << 20));
  return Object.fromEntries(
    series.map(({ labels, samples }) => [
      Object.fromEntries(labels)['a'],
      samples.map(({ timestamp }) => Number(timestamp) - NOW),
    ]),
  );
}

function run(value: Buffer, limits: { max_age?: number; max_future?: number }) {
  const route: PipelineRoute = {
    name: 'all',
    index: 0,
    topic: 'tasks',
    count: 1,
    selectors: [],
    relabeler: { apply: (labels) => labels },
    hasRules: false,
    task: () => 0,
    taskLabel: 'task',
  };
  const pipeline = new Pipeline({
    routes: [route],
    cacheBytes: 1 << 20,
    maxRecordBytes: () => 1_000_000,
    limits: { ...DEFAULT_LIMITS, ...limits },
    now: () => NOW,
  });
  const step = pipeline.begin();
  step.process({ value, headers: {}, timestamp: NOW, topic: 'raw', partition: 0, offset: 0n });
  return step.finish();
}

const MIXED = body({
  good: [NOW - HOUR, NOW, NOW + HOUR],
  old: [NOW - HOUR - 1],
  both: [NOW - 9 * HOUR, NOW - 5, NOW + 9 * HOUR],
});

test('samples outside of the limits are set aside, those of the same series within them go on', () => {
  const { records, dead, counts } = run(MIXED, { max_age: HOUR, max_future: HOUR });
  assert.deepEqual(
    records.map(({ value }) => timesOf(value)),
    [{ good: [-HOUR, 0, HOUR], both: [-5] }],
  );
  assert.deepEqual(
    dead.map(({ reason, value }) => [reason, timesOf(value!)]),
    [
      ['sample_too_old', { old: [-HOUR - 1], both: [-9 * HOUR] }],
      ['sample_in_future', { both: [9 * HOUR] }],
    ],
  );
  assert.equal(counts.samples, 4);
  assert.deepEqual(counts.outOfRange, { too_old: 2, in_future: 1 });
  assert.match(dead[0]!.message, /worker\.limits\.max_age/);
});

test('each limit holds alone, and without both all is taken', () => {
  assert.deepEqual(
    run(MIXED, { max_future: HOUR }).dead.map(({ reason }) => reason),
    ['sample_in_future'],
  );
  assert.deepEqual(
    run(MIXED, { max_age: HOUR }).dead.map(({ reason }) => reason),
    ['sample_too_old'],
  );
  const { dead, counts } = run(MIXED, {});
  assert.deepEqual([dead.length, counts.samples], [0, 7]);
});

test('unless told otherwise a sample may be ten minutes ahead, and as old as it likes', () => {
  const { max_age, max_future } = workerOptions.parse({}).limits;
  const times = [0, NOW, NOW + 600_000, NOW + 600_001, 4e15, 9e15];
  const { records, dead, counts } = run(body({ a: times }), { max_age, max_future });
  assert.deepEqual(
    records.map(({ value }) => timesOf(value)),
    [{ a: [-NOW, 0, 600_000] }],
  );
  assert.deepEqual(
    dead.map(({ reason }) => reason),
    ['sample_in_future'],
  );
  assert.deepEqual(counts.outOfRange, { in_future: 3 });
});

test('times that no storage takes are counted, of what is taken, and go on', () => {
  const DAY = 24 * HOUR;
  const times = body({
    seconds: [NOW / 1000, NOW / 1000 + 60],
    mixed: [-5, NOW, NOW + 2 * DAY, NOW + 2 * DAY + 1, 9e15],
    good: [Date.UTC(1971, 0), NOW],
  });
  const all = run(times, {});
  assert.deepEqual([all.dead.length, all.counts.samples], [0, 9]);
  assert.deepEqual(all.counts.unstorable, { past: 3, future: 2 });
  const limited = run(times, { max_age: HOUR, max_future: 3 * DAY });
  assert.deepEqual(limited.counts.outOfRange, { too_old: 4, in_future: 1 });
  assert.deepEqual(limited.counts.unstorable, { future: 1 });
  assert.equal(run(body({ good: [NOW] }), {}).counts.unstorable, undefined);
});

test('exemplars stay with the first part that there is', () => {
  const builder = new WriteRequestBuilder();
  builder.beginSeries();
  builder.label('a', 'b');
  builder.sample(1, NOW + 2 * HOUR);
  builder.sample(1, NOW + 3 * HOUR);
  builder.endSeries();
  const request = builder.finish();
  // Tag and length of the series, then its label.
  const series = Buffer.concat([request.subarray(2), Buffer.from([0x1a, 2, 0x0a, 0])]);
  const split = splitByTime(new SeriesBytes(series).checked(), { oldest: NOW, newest: NOW + HOUR });
  assert.equal(split.taken, undefined);
  assert.deepEqual(
    split.refused.map((part) => [part.kind, part.samples, part.series]),
    [['in_future', 2, series]],
  );
});

test('a series of millions of samples is taken apart in memory of its own size', () => {
  const label = Buffer.from([0x0a, 6, 0x0a, 1, 0x61, 0x12, 1, 0x62]);
  const sample = (time: number) => {
    const builder = new WriteRequestBuilder();
    builder.beginSeries();
    builder.sample(0, time);
    builder.endSeries();
    return builder.finish().subarray(2);
  };
  const fields = Buffer.concat([sample(NOW), sample(NOW - 9 * HOUR), sample(NOW + 9 * HOUR)]);
  const count = Math.floor((16 << 20) / fields.length);
  const series = Buffer.concat([label, Buffer.alloc(count * fields.length, fields)]);
  const whole = new SeriesBytes(series).checked();
  const before = process.memoryUsage();
  const window = { oldest: NOW - HOUR, newest: NOW + HOUR };
  const { taken, refused } = splitByTime(whole, window);
  const after = process.memoryUsage();
  const grown = after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed;
  assert.ok(grown < 48 << 20, `${grown >> 20} MiB for a series of ${series.length >> 20}`);
  const bytes = [taken!.bytes, ...refused.map((part) => part.series)].map(
    ({ length }) => length - label.length,
  );
  assert.equal(
    bytes.reduce((sum, part) => sum + part),
    count * fields.length,
  );
  assert.deepEqual(
    refused.map(({ samples }) => samples),
    [count, count],
  );
});
