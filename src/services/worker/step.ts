import { runRecords, type StepRun } from '../../core/pipeline/careful-step.ts';
import type { Pipeline } from '../../core/pipeline/pipeline.ts';
import type { StepLoad, StepOutput } from '../../core/pipeline/step.ts';
import { exceeds, STEP_LIMITS, type StepLimits } from '../../core/pipeline/step-limits.ts';
import { type DeadTopic, encodeDeadLetter } from '../../core/record/dead-letter.ts';
import { formatSource, taskRecords } from '../../core/record/task-record.ts';
import type { Taken } from '../../io/kafka/group/assigned-partition.ts';
import type { FetchedRecord } from '../../io/kafka/partition-queue.ts';
import { monotonicMs } from '../../io/time/clock.ts';
import type { StepPublication } from './publisher.ts';

export interface StepResult {
  readonly output: StepOutput;
  readonly publication: StepPublication;
  /** The records that the step has processed: the first of those taken, at least one. */
  readonly done: readonly FetchedRecord[];
  /** The records behind them, for the next step. */
  readonly left: readonly FetchedRecord[];
}

export interface StepOptions {
  readonly dead: DeadTopic;
  /** Told of each record that is set aside because Penstock has a defect. */
  readonly onDefect: StepRun['onDefect'];
  /** Why a record is to be set aside unread, if so; default: none is. */
  readonly refusalOf?: StepRun['refusalOf'];
  readonly limits?: StepLimits;
}

/**
 * Runs one step: records taken from a partition, at least one, through the pipeline into what is to be published. No
 * I/O.
 *
 * @throws errors that no single record causes (core/pipeline/careful-step.ts)
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
