import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RawCheck } from '../../chaos/check-raw.ts';
import { TaskCheck } from '../../chaos/check-tasks.ts';
import {
  MOST_RAW_PARTITIONS,
  recordOf,
  relabeled,
  SERIES_PER_PARTITION,
  sampleValue,
  TASKS,
  taskOf,
  timeOf,
} from '../../chaos/truth.ts';
import { writeRequest } from '../../lab/generator/write-request.ts';
import { Problems } from '../../lab/truth/problems.ts';

/** The chaos run is only worth what its check finds. */
const START = 1_700_000_000_000;
const SERIES_OF_PARTITION = Array.from({ length: SERIES_PER_PARTITION }, (_, series) => series);

interface Change {
  readonly cluster?: string;
  readonly value?: number;
  /** Where series 0 goes, instead of the task of its group. */
  readonly task?: number;
}

interface TaskRecord {
  readonly task: number;
  readonly body: Buffer;
}

/** The task records of a step: a sample of each series of ingest partition 0 for each of the rounds. */
function step(rounds: number[], change: Change = {}): TaskRecord[] {
  const taskIn = (series: number) => (series === 0 ? (change.task ?? taskOf(0)) : taskOf(series));
  return [...Map.groupBy(SERIES_OF_PARTITION, taskIn)].map(([task, list]) => {
    const series = rounds.flatMap((round) =>
      list.map((index) => ({
        labels: Object.entries({
          ...relabeled(index),
          stream_task_id: String(task),
          cluster: change.cluster ?? 'chaos',
        }),
        samples: [[timeOf(START, round), change.value ?? sampleValue(index, round)] as const],
      })),
    );
    return { task, body: writeRequest(series) };
  });
}

/** What is found when ingest partition 0 holds rounds 0, 1 and 2, and the task topic the records of these steps. */
function check(...steps: TaskRecord[][]) {
  const problems = new Problems();
  const raw = Array.from({ length: MOST_RAW_PARTITIONS }, (_, partition) =>
    partition === 0 ? [0, 1, 2] : [],
  );
  const tasks = new TaskCheck(START, raw, problems);
  for (const { task, body } of steps.flat()) tasks.visit(task, body);
  tasks.finish();
  const { missing, duplicates, outOfOrder, foreign } = tasks;
  return { missing, duplicates, outOfOrder, foreign, ok: problems.lines().length === 0 };
}

describe('the check of the task topic', () => {
  const none = { missing: 0, duplicates: 0, outOfOrder: 0, foreign: 0 };
  const all = SERIES_PER_PARTITION;

  test('passes what is right', () => {
    assert.deepEqual(check(step([0]), step([1, 2])), { ...none, ok: true });
  });
  test('finds a lost record', () => {
    assert.deepEqual(check(step([0]), step([1])), { ...none, missing: all, ok: false });
  });
  test('finds a repeated record', () => {
    const found = check(step([0]), step([1]), step([1]), step([2]));
    assert.deepEqual(found, { ...none, duplicates: all, ok: false });
  });
  test('finds records out of order', () => {
    const found = check(step([0]), step([2]), step([1]));
    assert.equal(found.ok, false);
    assert.ok(found.outOfOrder >= all);
  });
  test('finds a series that is not in the task of its group', () => {
    const found = check(step([0, 1, 2], { task: (taskOf(0) + 1) % TASKS }));
    assert.deepEqual(found, { ...none, missing: 3, foreign: 3, ok: false });
  });
  test('finds other labels, other values and samples that nobody wrote', () => {
    assert.equal(check(step([0], { cluster: 'x' }), step([0, 1, 2])).foreign, all);
    assert.equal(check(step([0], { value: 1.5 }), step([0, 1, 2])).foreign, all);
    assert.equal(check(step([0, 1, 2]), step([7])).foreign, all);
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
