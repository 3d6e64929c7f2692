import type { Taken } from '../kafka/assigned-partition.ts';
import { type DeadTopic, deadRecord } from '../kafka/dead-record.ts';
import type { Pipeline, StepOutput } from '../pipeline.ts';
import type { StepPublication } from '../publish/publisher.ts';
import { formatSource, taskRecords } from '../publish/step-records.ts';

/** One step: the records taken from a partition, one at least, through the pipeline, to what is to be published. No I/O. */
export function runStep(
  taken: Taken,
  pipeline: Pipeline,
  dead: DeadTopic,
  nowMs: number,
): { output: StepOutput; publication: StepPublication } {
  const step = pipeline.begin(taken.records[0]!.topic);
  for (const record of taken.records) step.process(record);
  const output = step.flush();
  const { topic, partition, offset: first } = taken.records[0]!;
  const source = formatSource({ topic, partition, first, last: taken.records.at(-1)!.offset });
  const records = [
    ...taskRecords(output.records, source),
    ...output.dead.map((letter) => deadRecord(letter, dead, nowMs)),
  ];
  return { output, publication: { records, nextOffset: taken.nextOffset } };
}
