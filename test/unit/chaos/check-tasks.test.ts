import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compress } from '../../../src/wire/snappy.ts';
import { WriteRequestBuilder } from '../../../src/wire/write-request-builder.ts';
import { RawCheck, TaskCheck } from '../../chaos/check-tasks.ts';
import { Problems } from '../../chaos/problems.ts';
import {
  RAW_PARTITIONS,
  recordOf,
  relabeled,
  SERIES_PER_PARTITION,
  sampleValue,
  timeOf,
} from '../../chaos/truth.ts';

/** The chaos run is only worth what its check finds. */
const START = 1_700_000_000_000;
const TASK = 3;

/** A task record with a sample of each series of ingest partition 0 for each of the rounds. */
function taskRecord(rounds: number[], change: { cluster?: string; value?: number } = {}): Buffer {
  const builder = new WriteRequestBuilder();
  for (const round of rounds) {
    for (let series = 0; series < SERIES_PER_PARTITION; series += 1) {
      const labels = {
        ...relabeled(series),
        stream_task_id: String(TASK),
        cluster: change.cluster ?? 'chaos',
      };
      builder.beginSeries();
      for (const [name, value] of Object.entries(labels)) builder.label(name, value);
      builder.sample(change.value ?? sampleValue(series, round), timeOf(START, round));
      builder.endSeries();
    }
  }
  return compress(builder.finish());
}

/** What is found when ingest partition 0 holds rounds 0, 1 and 2, and the task topic these records. */
function check(...records: Buffer[]) {
  const problems = new Problems();
  const raw = Array.from({ length: RAW_PARTITIONS }, (_, partition) => (partition === 0 ? [0, 1, 2] : []));
  const tasks = new TaskCheck(START, raw, problems);
  for (const record of records) tasks.visit(TASK, record);
  tasks.finish();
  const { missing, duplicates, outOfOrder, foreign } = tasks;
  return { missing, duplicates, outOfOrder, foreign, ok: problems.lines().length === 0 };
}

describe('the check of the task topic', () => {
  const none = { missing: 0, duplicates: 0, outOfOrder: 0, foreign: 0 };
  const all = SERIES_PER_PARTITION;

  test('passes what is right', () => {
    assert.deepEqual(check(taskRecord([0]), taskRecord([1, 2])), { ...none, ok: true });
  });
  test('finds a lost record', () => {
    assert.deepEqual(check(taskRecord([0]), taskRecord([1])), { ...none, missing: all, ok: false });
  });
  test('finds a repeated record', () => {
    const found = check(taskRecord([0]), taskRecord([1]), taskRecord([1]), taskRecord([2]));
    assert.deepEqual(found, { ...none, duplicates: all, ok: false });
  });
  test('finds records out of order', () => {
    const found = check(taskRecord([0]), taskRecord([2]), taskRecord([1]));
    assert.equal(found.ok, false);
    assert.ok(found.outOfOrder >= all);
  });
  test('finds other labels, other values and samples that nobody wrote', () => {
    assert.equal(check(taskRecord([0], { cluster: 'x' }), taskRecord([0, 1, 2])).foreign, all);
    assert.equal(check(taskRecord([0], { value: 1.5 }), taskRecord([0, 1, 2])).foreign, all);
    assert.equal(check(taskRecord([0, 1, 2]), taskRecord([7])).foreign, all);
  });
});

describe('the check of the ingest topic', () => {
  function found(acknowledged: boolean[], rounds: number[]): string[] {
    const problems = new Problems();
    const raw = new RawCheck(START);
    for (const round of rounds) raw.visit(0, recordOf(0, round, START));
    raw.finish([acknowledged], problems);
    return problems.lines();
  }

  test('wants acknowledged records once, and others once at most', () => {
    assert.deepEqual(found([true, false, false, true], [0, 1, 3]), []);
    assert.match(found([true, true], [0])[0]!, /acknowledged record is missing/);
    assert.match(found([true, false], [0, 1, 1])[0]!, /there twice/);
  });
});
