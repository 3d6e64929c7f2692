import type { OutgoingRecord } from '../../core/model/records.ts';
import { BATCH_HEADER } from '../../core/record/dead-record.ts';
import type { LetterSource, StoredLetter } from './letter.ts';

/** Where letters may go back to. */
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
  no_source: 'penstock-source does not say where it came from',
  unknown_topic: 'it came from a topic or partition that this configuration does not have',
  defect: 'Penstock has a defect that they lead to; please report it with the stack that was told',
  too_large: 'larger than the max.message.bytes of the topic it came from; raise it',
};

/** Headers of Penstock's that belong to what the record is, not to what befell it. */
const KEPT = ['penstock-version', 'penstock-query', 'penstock-path', 'penstock-timestamp'];

/** Room for what a record batch adds to value and headers, in bytes. */
const BATCH_OVERHEAD_BYTES = 512;

/** The record that takes a letter back, or why there is none. */
export function redrivenRecord(
  letter: StoredLetter,
  targets: RedriveTargets,
  nowMs: number,
): OutgoingRecord | Unredrivable {
  const { record, source, stage, redriven, firstSeen } = letter;
  if (record.headers[BATCH_HEADER] != null) return 'corrupt_batch';
  if (record.headers['penstock-truncated'] != null) return 'truncated';
  if (record.headers['penstock-headers-left-out'] != null) return 'headers_left_out';
  if (source === undefined) return 'no_source';
  if (!isKnown(source, stage === 'deliver' ? targets.tasks : targets.ingest)) return 'unknown_topic';
  // The two stand first: where headers are too many for a dead letter, the last ones are left out.
  const headers: Record<string, string | Buffer | null> = Object.create(null);
  headers['penstock-redriven'] = String(redriven + 1);
  headers['penstock-first-seen'] = firstSeen;
  let bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0) + BATCH_OVERHEAD_BYTES;
  for (const [name, value] of Object.entries(record.headers)) {
    if (value === undefined || (name.startsWith('penstock-') && !KEPT.includes(name))) continue;
    headers[name] = value;
    bytes += Buffer.byteLength(name) + (value?.length ?? 0) + 10;
  }
  if (bytes > (targets.maxMessageBytes.get(source.topic) ?? Number.POSITIVE_INFINITY)) return 'too_large';
  const { topic, partition } = source;
  // The time is now's: retention must not take the record before it is read. penstock-timestamp has its own.
  return { topic, partition, key: record.key, value: record.value, headers, timestamp: nowMs };
}

function isKnown({ topic, partition }: LetterSource, topics: ReadonlyMap<string, number>): boolean {
  return partition < (topics.get(topic) ?? 0);
}
