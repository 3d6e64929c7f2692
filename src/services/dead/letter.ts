import type { FetchedRecord } from '../../io/kafka/partition-queue.ts';

/** Where a dead letter came from. */
export interface LetterSource {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** A dead letter as the topic has it. */
export interface StoredLetter {
  readonly record: FetchedRecord;
  readonly stage: string;
  readonly reason: string;
  readonly message: string;
  /** Undefined where the header cannot be read: a letter of another writer. */
  readonly source: LetterSource | undefined;
  /** How often it was redriven before it came here. */
  readonly redriven: number;
  /** RFC 3339; '' where the header is missing. */
  readonly firstSeen: string;
}

/** `topic/partition/offset`; a topic's name has no slash. */
const SOURCE = /^([^/]{1,249})\/(\d{1,10})\/(\d{1,19})$/;

/** Reads a record of the dead-letter topic; undefined for one that is no dead letter, such as a marker of `redrive`. */
export function readLetter(record: FetchedRecord): StoredLetter | undefined {
  const header = (name: string) => record.headers[name]?.toString() ?? '';
  const stage = header('penstock-stage');
  if (stage === '') return undefined;
  const [, topic, partition, offset] = SOURCE.exec(header('penstock-source')) ?? [];
  const redriven = Number(header('penstock-redriven'));
  return {
    record,
    stage,
    reason: header('penstock-reason'),
    message: header('penstock-error'),
    source:
      topic === undefined ? undefined : { topic, partition: Number(partition), offset: BigInt(offset ?? 0) },
    redriven: Number.isSafeInteger(redriven) && redriven > 0 ? redriven : 0,
    firstSeen: header('penstock-first-seen'),
  };
}
