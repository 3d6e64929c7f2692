import { PoisonError, RecordDefect, RetryableError } from '../model/errors.ts';
import type { SourceRecord } from '../model/records.ts';
import type { Pipeline } from './pipeline.ts';
import type { Step, StepLoad, StepOutput } from './step.ts';

export interface StepRun {
  /** True ends the step; the records left go into the next. */
  readonly isFull: (load: StepLoad) => boolean;
  /** Called for each record that is set aside because of a defect of Penstock. */
  readonly onDefect: (record: SourceRecord, error: RecordDefect) => void;
  /** The part of a record to run, undefined for none; default: all of it. May be called again for a record. */
  readonly select?: ((record: SourceRecord) => SourceRecord | undefined) | undefined;
  /** Error with which a record is set aside unread; default: none. */
  readonly refusalOf?: ((record: SourceRecord) => PoisonError | undefined) | undefined;
}

/** Output of a step for the first `count` records. */
export interface RanStep {
  readonly output: StepOutput;
  readonly count: number;
}

/**
 * Runs records of one partition, one at least, through a pipeline in one step.
 *
 * No record may stop the process. After an unexpected error each record is retried: one that fails again is set aside
 * as a whole, with the reason `defect`, and the others go on. An error in the middle of a record leaves outputs and
 * cache in an unknown state, so they are rebuilt.
 *
 * @throws errors that no single record causes: then the program is wrong, and the process has to end
 */
export function runRecords(pipeline: Pipeline, records: readonly SourceRecord[], run: StepRun): RanStep {
  try {
    return runAll(pipeline, records, run, (step, record) => take(pipeline, step, record, run));
  } catch (error) {
    if (error instanceof RetryableError) throw error;
  }
  pipeline.renew();
  const alone = new Alone(pipeline);
  return runAll(pipeline, records, run, (step, record) => {
    const defect = alone.defectOf(record);
    if (defect === undefined) step.process(record);
    else setAside(step, record, defect, run);
  });
}

function runAll(
  pipeline: Pipeline,
  records: readonly SourceRecord[],
  { isFull, refusalOf, select }: StepRun,
  each: (step: Step, record: SourceRecord) => void,
): RanStep {
  const step = pipeline.begin(records[0]!.topic);
  let count = 0;
  do {
    const record = records[count++]!;
    const refusal = refusalOf?.(record);
    const selected = select === undefined ? record : select(record);
    if (refusal !== undefined) step.setAside(record, refusal);
    else if (selected !== undefined) each(step, selected);
  } while (count < records.length && !isFull(step.load));
  return { output: step.finish(), count };
}

/** Processes a record. An error in decoding leaves the step sound: the record is retried once, then set aside. */
function take(pipeline: Pipeline, step: Step, record: SourceRecord, run: StepRun): void {
  try {
    step.process(record);
  } catch (error) {
    if (!isFromDecoding(error)) throw error;
    pipeline.renewDecoders();
    try {
      step.process(record);
    } catch (again) {
      if (!isFromDecoding(again)) throw again;
      pipeline.renewDecoders();
      setAside(step, record, again, run);
    }
  }
}

function isFromDecoding(error: unknown): error is RecordDefect {
  return error instanceof RecordDefect && error.during === 'decode';
}

function setAside(step: Step, record: SourceRecord, defect: RecordDefect, { onDefect }: StepRun): void {
  onDefect(record, defect);
  step.setAside(record, new PoisonError('decode', 'defect', defect.message));
}

/** Tries records one at a time, each in its own step, in a scratch pipeline. */
class Alone {
  readonly #pipeline: Pipeline;
  #scratch: Pipeline;

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
    this.#scratch = pipeline.scratch();
  }

  /** The record's error if it fails twice, else undefined. */
  defectOf(record: SourceRecord): RecordDefect | undefined {
    return this.#attempt(record) && this.#attempt(record);
  }

  #attempt(record: SourceRecord): RecordDefect | undefined {
    try {
      const step = this.#scratch.begin(record.topic);
      step.process(record);
      step.finish();
      return undefined;
    } catch (error) {
      if (error instanceof RetryableError) throw error;
      this.#pipeline.renewDecoders();
      this.#scratch = this.#pipeline.scratch();
      return error instanceof RecordDefect ? error : new RecordDefect('walk', error);
    }
  }
}
