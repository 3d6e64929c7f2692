import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { Pipeline } from '../../../../src/core/pipeline/pipeline.ts';
import { STEP_LIMITS, type StepLimits } from '../../../../src/core/pipeline/step-limits.ts';
import type { FetchedRecord } from '../../../../src/io/kafka/partition-queue.ts';
import { runStep } from '../../../../src/services/worker/step.ts';
import { encodeWriteRequest } from '../../../lab/generator/write-request.ts';
import { everyRoute, rawRecord, seriesRecord } from '../../../support/records.ts';

const MIB = 1024 * 1024;
const DEAD = { topic: 'dead', partitions: 1, maxMessageBytes: 1_000_000 };
const GRAPHITE = { 'content-type': 'application/x-graphite' };

/** A WriteRequest of one series with so many samples. */
function body(samples: number): Buffer {
  const all = Array.from({ length: samples }, () => [1_760_000_000_000, 1] as const);
  return encodeWriteRequest([{ labels: [['__name__', 'up']], samples: all }]);
}

/** `count` records from offset 10 on, as a producer with zstd sends them. */
function records(count: number, body: Buffer): FetchedRecord[] {
  const headers = {
    'content-type': 'application/x-protobuf;proto=prometheus.WriteRequest',
    'content-encoding': 'zstd',
  };
  const value = zstdCompressSync(body);
  return Array.from({ length: count }, (_, i) => ({
    topic: 'raw',
    partition: 0,
    offset: BigInt(10 + i),
    timestamp: 1,
    key: null,
    value,
    headers,
  }));
}

/** Runs steps until nothing is left: per step the offset to go on from, its source, and how many samples came of it. */
function steps(taken: readonly FetchedRecord[], limits: Partial<StepLimits> = {}) {
  const route = {
    name: 'all',
    index: 0,
    topic: 'tasks',
    selectors: [],
    relabeler: { apply: <T>(labels: T) => labels },
    hasRules: false,
    task: () => 0,
    taskLabel: 'task',
    count: 1,
  };
  const pipeline = new Pipeline({ routes: [route], cacheBytes: MIB, maxRecordBytes: () => MIB });
  const ran: [next: number, source: string, samples: number][] = [];
  for (let left = taken; left.length > 0; ) {
    const step = runStep({ records: left, nextOffset: 99n }, pipeline, 0, {
      dead: DEAD,
      onDefect: () => assert.fail(),
      limits: { ...STEP_LIMITS, ...limits },
    });
    const { publication } = step;
    const { headers } = publication.records[0]!;
    const samples = publication.records.map((record) => Number(record.headers['penstock-samples']));
    const sum = samples.reduce((all, one) => all + one, 0);
    ran.push([Number(publication.nextOffset), String(headers['penstock-source']), sum]);
    assert.deepEqual([...step.done, ...step.left], left);
    left = step.left;
  }
  return ran;
}

test('a step takes all of its records', () => {
  assert.deepEqual(steps(records(3, body(2))), [[99, 'raw/0/10-12', 6]]);
});

test('a step ends when its records come to more than it may decode, and the next one goes on from there', () => {
  const one = body(100);
  const limits = { decodedBytes: one.length * 2 - 1, ms: 60_000 };
  assert.deepEqual(steps(records(5, one), limits), [
    [12, 'raw/0/10-11', 200],
    [14, 'raw/0/12-13', 200],
    [99, 'raw/0/14-14', 100],
  ]);
});

test('a step ends when it has held the thread for too long, but not without a record', () => {
  const ran = steps(records(3, body(1)), { decodedBytes: MIB, ms: 0 });
  assert.deepEqual(
    ran.map(([next]) => next),
    [11, 12, 99],
  );
});

test('small records that decompress to much are of several steps', () => {
  const large = Buffer.concat(Array.from({ length: 1200 }, () => body(500)));
  const taken = records(12, large);
  assert.ok(taken[0]!.value!.length * taken.length < MIB);
  for (const [, , samples] of steps(taken)) assert.ok((samples / (1200 * 500)) * large.length < 96 * MIB);
});

/** Runs one step of 100 records that differ as `each` says; how many it took. */
function taken(each: (index: number) => FetchedRecord, limits: Partial<StepLimits>, tasks = 1): number {
  let series = 0;
  const route = everyRoute({ count: tasks, task: () => series++ % tasks });
  const pipeline = new Pipeline({
    routes: [route],
    cacheBytes: MIB,
    maxRecordBytes: () => MIB,
    tenantHeaders: ['tenant'],
  });
  const all = Array.from({ length: 100 }, (_, index) => each(index));
  const { done, left } = runStep({ records: all, nextOffset: 100n }, pipeline, 0, {
    dead: DEAD,
    onDefect: () => assert.fail(),
    limits: { ...STEP_LIMITS, ms: 60_000, ...limits },
  });
  assert.deepEqual([...done, ...left], all);
  return done.length;
}

const names = (count: number, index = 0) => Array.from({ length: count }, (_, i) => `s${index}_${i}`);

test('a step ends when it has as many outputs as it may', () => {
  const each = (index: number) => seriesRecord(index, names(8), { tenant: `t${index}` });
  assert.equal(taken(each, { outputs: 80 }, 8), 10);
});

test('a step ends when its records take as much memory as they may', () => {
  const each = (index: number) => seriesRecord(index, names(8), { tenant: `t${index}` });
  const count = taken(each, { outputBytes: 80 * 9_000 }, 8);
  assert.ok(count >= 8 && count <= 11, `${count} records`);
});

test('a step ends when it would publish as many records as it may', () => {
  const each = (index: number) => seriesRecord(index, names(4), { tenant: `t${index}` });
  assert.equal(taken(each, { records: 20 }, 4), 5);
});

test('a step ends when it has as many dead letters as it may, in number or bytes', () => {
  const lines = (index: number) => rawRecord(index, Buffer.from('bad\n'.repeat(20)), GRAPHITE);
  assert.equal(taken(lines, { deadLetters: 100 }), 5);
  const large = (index: number) => rawRecord(index, Buffer.from('x'.repeat(10_000)), GRAPHITE);
  const count = taken(large, { deadBytes: 105_000 });
  assert.ok(count >= 9 && count <= 11, `${count} records`);
});

test('a record of many bad lines is some hundred dead letters and not thousands', () => {
  const pipeline = new Pipeline({ routes: [everyRoute()], cacheBytes: MIB, maxRecordBytes: () => MIB });
  const record = rawRecord(0, Buffer.from('a\n'.repeat(9_000)), GRAPHITE);
  const options = { dead: DEAD, onDefect: () => assert.fail() };
  const { output } = runStep({ records: [record], nextOffset: 1n }, pipeline, 0, options);
  assert.equal(output.dead.length, 101);
});
