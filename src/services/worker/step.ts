import { runRecords, type StepRun } from '../../core/pipeline/careful-step.ts';
import type { Pipeline, StepLoad, StepOutput } from '../../core/pipeline/pipeline.ts';
import { exceeds, STEP_LIMITS, type StepLimits } from '../../core/pipeline/step-limits.ts';
import { type DeadTopic, encodeDeadLetter } from '../../core/record/dead-letter.ts';
import { formatSource, taskRecords } from '../../core/record/task-record.ts';
import type { Taken } from '../../io/kafka/group/assigned-partition.ts';
import type { FetchedRecord } from '../../io/kafka/partition-queue.ts';
import { monotonicMs } from '../../io/time/clock.ts';
import type { StepPublication } from './publisher.ts';

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
 * @throws what no record is the cause of (core/pipeline/careful-step.ts)
 */
export function runStep(
  taken: Taken,
  pipeline: Pipeline,
  nowMs: number,
  { dead, limits = STEP_LIMITS, ...run }: StepOptions,
): StepResult {
  const endMs = monotonicMs() + limits.ms;
  const isFull = (load: StepLoad) => monotonicMs() >= endMs || exceeds(load, limits);
  const { output, count } = runRecords(pipeline, taken.records, { ...run, isFull });
  const done = taken.records.slice(0, count);
  const left = taken.records.slice(count);
  const { topic, partition, offset: first } = done[0]!;
  const source = formatSource({ topic, partition, first, last: done.at(-1)!.offset });
  const records = [
    ...taskRecords(output.records, source, nowMs),
    ...output.dead.map((letter) => encodeDeadLetter(letter, dead, nowMs)),
  ];
  const nextOffset = left[0]?.offset ?? taken.nextOffset;
  return { output, publication: { records, nextOffset }, done, left };
}
