import { runRecords, type StepRun } from '../careful-step.ts';
import type { Taken } from '../kafka/assigned-partition.ts';
import { type DeadTopic, deadRecord } from '../kafka/dead-record.ts';
import type { FetchedRecord } from '../kafka/partition-queue.ts';
import type { Pipeline, StepLoad, StepOutput } from '../pipeline.ts';
import type { StepPublication } from '../publish/publisher.ts';
import { formatSource, taskRecords } from '../publish/step-records.ts';

/**
 * Where a step ends although it has more records; those left go into the next. The record that passes a limit is still of
 * the step, and what one record may become is limited too (`ingest.limits`, decode/rejects.ts, dead-letter.ts).
 */
export interface StepLimits extends StepLoad {
  /** How long it may hold the thread, in ms: other partitions, fetches and heartbeats wait meanwhile. */
  readonly ms: number;
}

const MIB = 1024 * 1024;

/**
 * A step takes 4 MiB as they are fetched. What that may become:
 *
 * - `decodedBytes`, `ms`: of remote write in snappy some 40 MiB of series and 0.1 s, or 0.9 s where all of them are new
 *   (bench/README.md); zstd can make gigabytes of it.
 * - `outputs`, `outputBytes`: tenants times tasks, each output with a buffer of 8 KiB at least: 32 MiB. Series that go to
 *   many routes are in memory once a route.
 * - `records`: the cost of a send grows with the square of its records in kafkajs.
 * - `deadLetters`, `deadBytes`: a hundred for a record of 200 bytes (decode/rejects.ts). A thousand are published in a
 *   fraction of a second, so that no transaction times out for them.
 */
export const STEP_LIMITS: StepLimits = {
  decodedBytes: 64 * MIB,
  ms: 1_000,
  outputs: 4_096,
  outputBytes: 128 * MIB,
  records: 5_000,
  deadLetters: 1_000,
  deadBytes: 16 * MIB,
};

/** What came of a step. */
export interface StepResult {
  readonly output: StepOutput;
  readonly publication: StepPublication;
  /** The records that the step is made of: of those taken the first, one at least. */
  readonly done: readonly FetchedRecord[];
  /** Those behind them, for a step after this one. */
  readonly left: readonly FetchedRecord[];
}

/** How steps are run. */
export interface StepOptions {
  readonly dead: DeadTopic;
  /** Told of each record that is set aside because Penstock has a defect. */
  readonly onDefect: StepRun['onDefect'];
  /** What is known to be of no use before it is read; default: nothing. */
  readonly refusalOf?: StepRun['refusalOf'];
  readonly limits?: StepLimits;
}

/**
 * One step: the records taken from a partition, one at least, through the pipeline, to what is to be published. No I/O.
 *
 * @throws what no record is the cause of (careful-step.ts)
 */
export function runStep(
  taken: Taken,
  pipeline: Pipeline,
  nowMs: number,
  { dead, limits = STEP_LIMITS, ...run }: StepOptions,
): StepResult {
  const endMs = performance.now() + limits.ms;
  const isFull = (load: StepLoad) => performance.now() >= endMs || exceeds(load, limits);
  const { output, count } = runRecords(pipeline, taken.records, { ...run, isFull });
  const done = taken.records.slice(0, count);
  const left = taken.records.slice(count);
  const { topic, partition, offset: first } = done[0]!;
  const source = formatSource({ topic, partition, first, last: done.at(-1)!.offset });
  const records = [
    ...taskRecords(output.records, source),
    ...output.dead.map((letter) => deadRecord(letter, dead, nowMs)),
  ];
  const nextOffset = left[0]?.offset ?? taken.nextOffset;
  return { output, publication: { records, nextOffset }, done, left };
}

function exceeds(load: StepLoad, limits: StepLoad): boolean {
  return (
    load.decodedBytes > limits.decodedBytes ||
    load.outputs >= limits.outputs ||
    load.outputBytes > limits.outputBytes ||
    load.records >= limits.records ||
    load.deadLetters >= limits.deadLetters ||
    load.deadBytes > limits.deadBytes
  );
}
