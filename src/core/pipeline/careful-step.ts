import { PoisonError, RecordDefect, RetryableError } from '../model/errors.ts';
import type { SourceRecord } from '../model/records.ts';
import type { Pipeline, Step, StepLoad, StepOutput } from './pipeline.ts';

export interface StepRun {
  /** Whether the step ends here although it has more records. */
  readonly isFull: (load: StepLoad) => boolean;
  /** Told of each record that is set aside because Penstock has a defect. */
  readonly onDefect: (record: SourceRecord, error: RecordDefect) => void;
  /** What of a record is to be run, undefined for nothing; default: all of it. It may be asked again. */
  readonly select?: ((record: SourceRecord) => SourceRecord | undefined) | undefined;
  /** What is known to be of no use before it is read; default: nothing. */
  readonly refusalOf?: ((record: SourceRecord) => PoisonError | undefined) | undefined;
}

/** What came of the first `count` of the records. */
export interface RanStep {
  readonly output: StepOutput;
  readonly count: number;
}

/**
 * Runs records of one partition through a pipeline, one at least, in a step.
 *
 * No record may stop the process. An error that nobody foresaw is looked into: a record that throws again when it is read
 * once more is set aside as a whole, with the reason `defect`, and the rest goes on. What an error in the middle of a
 * record has left behind in outputs and cache is not trusted, so those are made again.
 *
 * @throws what no single record causes: then the program is wrong, and the process has to end
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
  return { output: step.flush(), count };
}

/** Nothing of a record is in the step before it is decoded: the step is sound, and goes on. */
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

/** Tries records one at a time, each in a step of its own, in a pipeline whose state is nobody else's. */
class Alone {
  readonly #pipeline: Pipeline;
  #scratch: Pipeline;

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
    this.#scratch = pipeline.scratch();
  }

  /** The error that the record leads to again and again; undefined where it can be used. */
  defectOf(record: SourceRecord): RecordDefect | undefined {
    return this.#attempt(record) && this.#attempt(record);
  }

  #attempt(record: SourceRecord): RecordDefect | undefined {
    try {
      const step = this.#scratch.begin(record.topic);
      step.process(record);
      step.flush();
      return undefined;
    } catch (error) {
      if (error instanceof RetryableError) throw error;
      this.#pipeline.renewDecoders();
      this.#scratch = this.#pipeline.scratch();
      return error instanceof RecordDefect ? error : new RecordDefect('walk', error);
    }
  }
}
