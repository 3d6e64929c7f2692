import { TIMESTAMP_HEADER } from '../model/record-time.ts';
import type { OutgoingRecord, TaskRecord } from '../model/records.ts';

/** The format of task records (docs/concepts/record-format.md). */
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

/**
 * The records of one step for the task topics: snappy(WriteRequest), readable by any remote-write tool.
 *
 * Where a task gets several records from one step (split by size, or several tenants) each says which of how many
 * it is, so that a drain can tell a part from a repeat.
 *
 * Their Kafka time is that of writing, so that retention counts from there; the source's is in a header.
 *
 * @param nowMs time of writing, in ms since the epoch
 * @param more further headers of all of them
 */
export function taskRecords(
  records: readonly TaskRecord[],
  source: string,
  nowMs: number,
  more: Readonly<Record<string, string>> = {},
): OutgoingRecord[] {
  const parts = Map.groupBy(records, ({ topic, partition }) => `${topic}/${partition}`);
  return [...parts.values()].flatMap((group) =>
    group.map((record, index) => {
      const part = group.length > 1 ? { 'penstock-part': `${index + 1}/${group.length}` } : {};
      return taskRecord(record, source, nowMs, { ...part, ...more });
    }),
  );
}

function taskRecord(
  record: TaskRecord,
  source: string,
  nowMs: number,
  more: Record<string, string>,
): OutgoingRecord {
  return {
    topic: record.topic,
    partition: record.partition,
    key: null,
    value: record.value,
    timestamp: nowMs,
    headers: {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'penstock-version': VERSION,
      'penstock-source': source,
      [TIMESTAMP_HEADER]: String(record.timestamp),
      'penstock-series': String(record.series),
      'penstock-samples': String(record.samples),
      ...more,
      ...record.tenant.headers,
    },
  };
}
