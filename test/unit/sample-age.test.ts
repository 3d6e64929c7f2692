import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../src/decode/decoder.ts';
import { Pipeline, type PipelineRoute } from '../../src/pipeline.ts';
import { compress, uncompress } from '../../src/wire/snappy.ts';
import { WriteRequestBuilder } from '../../src/wire/write-request-builder.ts';
import { decodeWriteRequest } from '../support/prompb.ts';

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
  return step.flush();
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
  assert.match(dead[0]!.message, /ingest\.limits\.max_age/);
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
