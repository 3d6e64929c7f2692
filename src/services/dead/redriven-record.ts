import type { OutgoingRecord } from '../../core/model/records.ts';
import { HEADER } from '../../core/record/headers.ts';
import {
  incompleteness,
  type LetterSource,
  redrivenHeaders,
  type StoredLetter,
} from '../../core/record/stored-letter.ts';

/** Topics that letters may go back to. */
export interface RedriveTargets {
  /** Partitions of each ingest topic of the configuration. */
  readonly ingest: ReadonlyMap<string, number>;
  /** Partitions of each task topic of the configuration. */
  readonly tasks: ReadonlyMap<string, number>;
  /** `max.message.bytes` of all of them. */
  readonly maxMessageBytes: ReadonlyMap<string, number>;
}

/** Why a letter cannot go back. */
export type Unredrivable =
  | 'corrupt_batch'
  | 'truncated'
  | 'headers_left_out'
  | 'no_source'
  | 'unknown_topic'
  | 'too_large'
  | 'defect';

export const UNREDRIVABLE_TEXT: Readonly<Record<Unredrivable, string>> = {
  corrupt_batch: 'a record batch that cannot be read; penstock dead show --raw writes its bytes',
  truncated: 'cut to fit the dead-letter topic; produce the source record again, if it is still kept',
  headers_left_out: 'some of its headers did not fit; produce the source record again, if it is still kept',
  no_source: `${HEADER.source} does not say where it came from`,
  unknown_topic: 'it came from a topic or partition that this configuration does not have',
  defect: 'Penstock has a defect that they lead to; please report it with the stack that was told',
  too_large: 'larger than the max.message.bytes of the topic it came from; raise it',
};

/** Allowance for the bytes that a record batch adds to key, value and headers. */
const BATCH_OVERHEAD_BYTES = 512;
/** Room for the lengths of a header's name and value. */
const HEADER_OVERHEAD_BYTES = 10;

/** The record that redrives a letter, or why there is none. */
export function redrivenRecord(
  letter: StoredLetter,
  targets: RedriveTargets,
  nowMs: number,
): OutgoingRecord | Unredrivable {
  const { record, source, stage } = letter;
  const incomplete = incompleteness(record);
  if (incomplete !== undefined) return incomplete;
  if (source === undefined) return 'no_source';
  if (!isKnown(source, stage === 'deliver' ? targets.tasks : targets.ingest)) return 'unknown_topic';
  const headers = redrivenHeaders(letter);
  let bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0) + BATCH_OVERHEAD_BYTES;
  for (const [name, value] of Object.entries(headers))
    bytes +=
      Buffer.byteLength(name) + (value === null ? 0 : Buffer.byteLength(value)) + HEADER_OVERHEAD_BYTES;
  if (bytes > (targets.maxMessageBytes.get(source.topic) ?? Number.POSITIVE_INFINITY)) return 'too_large';
  const { topic, partition } = source;
  // The current time, so that retention does not take the record before it is read; penstock-timestamp has its own.
  return { topic, partition, key: record.key ?? null, value: record.value, headers, timestamp: nowMs };
}

function isKnown({ topic, partition }: LetterSource, topics: ReadonlyMap<string, number>): boolean {
  return partition < (topics.get(topic) ?? 0);
}
