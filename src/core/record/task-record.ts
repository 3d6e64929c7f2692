import type { OutgoingRecord, TaskRecord } from '../model/records.ts';
import { FORMAT_VERSION, HEADER, headerOf, type RecordHeaders } from './headers.ts';

/** Source records that one step covers: one partition, offsets first to last, both included. */
export interface StepSource {
  readonly topic: string;
  readonly partition: number;
  readonly first: bigint;
  readonly last: bigint;
}

/** Value of the header that names the source. */
export function formatSource({ topic, partition, first, last }: StepSource): string {
  return `${topic}/${partition}/${first}-${last}`;
}

/**
 * The records of one step for the task topics: snappy(WriteRequest), readable by any remote-write tool.
 *
 * If a task gets several records from one step (split by size, or several tenants), each has a part header, as `2/3`,
 * so that a drain can tell a part from a duplicate.
 *
 * Their Kafka timestamp is the time of writing, so that retention counts from there; the source's is in a header.
 *
 * @param nowMs time of writing, in ms since the epoch
 * @param more further headers of every record
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
      const part = group.length > 1 ? { [HEADER.part]: `${index + 1}/${group.length}` } : {};
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
      [HEADER.version]: FORMAT_VERSION,
      [HEADER.source]: source,
      [HEADER.timestamp]: String(record.timestamp),
      [HEADER.series]: String(record.series),
      [HEADER.samples]: String(record.samples),
      ...more,
      ...record.tenant.headers,
    },
  };
}

/** Position of a task record among those of its source partition. */
export interface TaskRecordSource {
  /** `topic/partition` of the source. */
  readonly topicPartition: string;
  /** Offsets of the step that it is made of, both included. */
  readonly first: bigint;
  readonly last: bigint;
  /** Number of this record, from 1, among the task's records of the step, and how many there are; usually 1 of 1. */
  readonly part: number;
  readonly parts: number;
  /** Id of the replay that wrote it; '' where a worker did. */
  readonly replay: string;
}

/** `topic/partition/first-last`; a topic's name has no slash. */
const SOURCE = /^([^/]{1,249}\/\d{1,10})\/(\d{1,19})-(\d{1,19})$/;
const PART = /^(\d{1,10})\/(\d{1,10})$/;

/** Undefined for records of other writers, which have no source header. */
export function readTaskRecordSource(headers: RecordHeaders): TaskRecordSource | undefined {
  const source = SOURCE.exec(headerOf(headers, HEADER.source));
  if (source === null) return undefined;
  const [, topicPartition = '', first = '', last = ''] = source;
  const [, part = '1', parts = '1'] = PART.exec(headerOf(headers, HEADER.part)) ?? [];
  return {
    topicPartition,
    first: BigInt(first),
    last: BigInt(last),
    part: Number(part),
    parts: Number(parts),
    replay: headerOf(headers, HEADER.replay),
  };
}

/** Number of `series` or `samples` according to a task record's header; 0 if it has none. */
export function countIn(headers: RecordHeaders, what: 'series' | 'samples'): number {
  const count = Number(headerOf(headers, HEADER[what]));
  return Number.isFinite(count) && count > 0 ? count : 0;
}

/** Samples of a record that Penstock wrote to a task topic; undefined for any other record. */
export function taskRecordSamples(value: Buffer | null, headers: RecordHeaders): number | undefined {
  if (value === null || value.length === 0 || headerOf(headers, HEADER.version) !== FORMAT_VERSION)
    return undefined;
  if (headerOf(headers, 'content-encoding') !== 'snappy') return undefined;
  const samples = headerOf(headers, HEADER.samples);
  return /^\d{1,10}$/.test(samples) ? Number(samples) : undefined;
}
