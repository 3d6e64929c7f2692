import type { OutgoingRecord } from '../kafka/outgoing.ts';
import type { TaskRecord } from '../task-output.ts';

/** The format of task records (DESIGN section 4). */
const VERSION = '1';

/** Source records that one step covers: one partition, offsets first to last, both included. */
export interface StepSource {
  readonly topic: string;
  readonly partition: number;
  readonly first: bigint;
  readonly last: bigint;
}

/** `topic/partition/first-last`, the form of the `penstock-source` header. */
export function formatSource({ topic, partition, first, last }: StepSource): string {
  return `${topic}/${partition}/${first}-${last}`;
}

/** A record of a task topic: snappy(WriteRequest), readable by any remote-write tool. */
export function taskRecord(record: TaskRecord, source: string): OutgoingRecord {
  return {
    topic: record.topic,
    partition: record.partition,
    key: null,
    value: record.value,
    timestamp: record.timestamp,
    headers: {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'penstock-version': VERSION,
      'penstock-source': source,
      'penstock-series': String(record.series),
      'penstock-samples': String(record.samples),
      ...record.tenant.headers,
    },
  };
}
