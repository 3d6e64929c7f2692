import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { runStep, type StepLimits } from '../../../src/ingest/step.ts';
import type { FetchedRecord } from '../../../src/kafka/partition-queue.ts';
import { Pipeline } from '../../../src/pipeline.ts';
import { WriteRequestBuilder } from '../../../src/wire/write-request-builder.ts';

const MIB = 1024 * 1024;
const DEAD = { topic: 'dead', partitions: 1, maxMessageBytes: 1_000_000 };

/** A WriteRequest of one series with so many samples. */
function body(samples: number): Buffer {
  const builder = new WriteRequestBuilder();
  builder.beginSeries();
  builder.label('__name__', 'up');
  for (let i = 0; i < samples; i++) builder.sample(1, 1_760_000_000_000);
  builder.endSeries();
  return builder.finish();
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
function steps(taken: readonly FetchedRecord[], limits?: StepLimits) {
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
    const step = runStep({ records: left, nextOffset: 99n }, pipeline, DEAD, 0, limits);
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
