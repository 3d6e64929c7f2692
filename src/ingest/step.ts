import type { Taken } from '../kafka/assigned-partition.ts';
import { type DeadTopic, deadRecord } from '../kafka/dead-record.ts';
import type { FetchedRecord } from '../kafka/partition-queue.ts';
import type { Pipeline, StepOutput } from '../pipeline.ts';
import type { StepPublication } from '../publish/publisher.ts';
import { formatSource, taskRecords } from '../publish/step-records.ts';

/** Where a step ends although it has more records. The record that passes a limit is still of the step. */
export interface StepLimits {
  /** Bytes of the records when decompressed and decoded: they decide what memory the step's output takes. */
  readonly decodedBytes: number;
  /** How long it may hold the thread, in ms: other partitions, fetches and heartbeats wait meanwhile. */
  readonly ms: number;
}

/**
 * A step takes 4 MiB as they are fetched. Of remote write in snappy that is some 40 MiB of series and 0.1 s, or 0.9 s where
 * all of them are new (bench/README.md); zstd can make gigabytes of it.
 */
const STEP_LIMITS: StepLimits = { decodedBytes: 64 * 1024 * 1024, ms: 1_000 };

/** What came of a step. */
export interface StepResult {
  readonly output: StepOutput;
  readonly publication: StepPublication;
  /** The records that the step is made of: of those taken the first, one at least. */
  readonly done: readonly FetchedRecord[];
  /** Those behind them, for a step after this one. */
  readonly left: readonly FetchedRecord[];
}

/** One step: the records taken from a partition, one at least, through the pipeline, to what is to be published. No I/O. */
export function runStep(
  taken: Taken,
  pipeline: Pipeline,
  dead: DeadTopic,
  nowMs: number,
  limits = STEP_LIMITS,
): StepResult {
  const step = pipeline.begin(taken.records[0]!.topic);
  const endMs = performance.now() + limits.ms;
  let count = 0;
  do step.process(taken.records[count++]!);
  while (
    count < taken.records.length &&
    step.decodedBytes <= limits.decodedBytes &&
    performance.now() < endMs
  );
  const output = step.flush();
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
