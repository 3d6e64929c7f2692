import type { SourceRecord } from '../model/records.ts';
import { HEADER, headerOf, isOwnHeader } from './headers.ts';

/** Source record of a dead letter. */
export interface LetterSource {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** A dead letter as stored in the topic. */
export interface StoredLetter<R extends SourceRecord = SourceRecord> {
  readonly record: R;
  readonly stage: string;
  readonly reason: string;
  readonly message: string;
  /** Undefined where the header cannot be read: a letter of another writer. */
  readonly source: LetterSource | undefined;
  /** How often its record had been redriven before. */
  readonly redriven: number;
  /** RFC 3339; '' where the header is missing. */
  readonly firstSeen: string;
}

/** `topic/partition/offset`; a topic's name has no slash. */
const SOURCE = /^([^/]{1,249})\/(\d{1,10})\/(\d{1,19})$/;

/** Reads a record of the dead-letter topic; undefined for one that is no dead letter, such as a redrive marker. */
export function readLetter<R extends SourceRecord>(record: R): StoredLetter<R> | undefined {
  const header = (name: string) => headerOf(record.headers, name);
  const stage = header(HEADER.stage);
  if (stage === '') return undefined;
  const [, topic, partition, offset] = SOURCE.exec(header(HEADER.source)) ?? [];
  const redriven = Number(header(HEADER.redriven));
  return {
    record,
    stage,
    reason: header(HEADER.reason),
    message: header(HEADER.error),
    source:
      topic === undefined ? undefined : { topic, partition: Number(partition), offset: BigInt(offset ?? 0) },
    redriven: Number.isSafeInteger(redriven) && redriven > 0 ? redriven : 0,
    firstSeen: header(HEADER.firstSeen),
  };
}

/** Reason why a letter lacks part of its record; undefined if it lacks nothing. */
export function incompleteness({
  headers,
}: SourceRecord): 'corrupt_batch' | 'truncated' | 'headers_left_out' | undefined {
  if (headers[HEADER.batch] != null) return 'corrupt_batch';
  if (headers[HEADER.truncated] != null) return 'truncated';
  return headers[HEADER.headersLeftOut] != null ? 'headers_left_out' : undefined;
}

/** Penstock's headers that describe the data, not its failure: a redrive keeps them. */
const KEPT: readonly string[] = [HEADER.version, HEADER.query, HEADER.path, HEADER.timestamp];

/** Headers of a redriven record: those of the original, how often it was redriven, and when it first failed. */
export function redrivenHeaders({
  record,
  redriven,
  firstSeen,
}: StoredLetter): Record<string, string | Buffer | null> {
  // No prototype, since a header's name may be __proto__.
  const headers: Record<string, string | Buffer | null> = Object.create(null);
  // These two first: where headers are too many for a dead letter, the last ones are left out.
  headers[HEADER.redriven] = String(redriven + 1);
  if (firstSeen !== '') headers[HEADER.firstSeen] = firstSeen;
  for (const [name, value] of Object.entries(record.headers)) {
    if (value === undefined || (isOwnHeader(name) && !KEPT.includes(name))) continue;
    headers[name] = value;
  }
  return headers;
}
