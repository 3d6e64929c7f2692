import { ConfigError, RecordDefect } from '../../core/model/errors.ts';
import { readMarker } from '../../core/record/redrive-marker.ts';
import { readLetter, type StoredLetter } from '../../core/record/stored-letter.ts';
import type { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import type { FetchedRecord } from '../../io/kafka/partition-queue.ts';
import { type OffsetGap, type OffsetRange, readRanges } from '../../io/kafka/range/range-reader.ts';
import { OffsetRanges } from './offset-ranges.ts';

/** Progress of a scan in offsets, transaction markers included; of a redrive in letters. */
export interface Progress {
  readonly read: number;
  readonly of: number;
}

export interface ScanOptions {
  readonly topic: string;
  readonly ranges: ReadonlyMap<number, OffsetRange>;
  readonly onLetter: LetterVisitor['onLetter'];
  readonly onDefect: LetterVisitor['onDefect'];
  readonly onProgress: (progress: Progress) => void;
  readonly onCorrupt?: OnCorrupt;
}

/** Receives the records of a dead-letter topic. */
export interface LetterVisitor {
  readonly onLetter: (letter: StoredLetter) => void;
  /** Told of a record that caused an unforeseen error, also in `onLetter`; the scan goes on. */
  readonly onDefect: (record: FetchedRecord, error: RecordDefect) => void;
}

/** Told of unreadable record batches, which are left out; undefined: the first one is an error. */
export type OnCorrupt = ((batch: OffsetGap) => void) | undefined;

/** Reads dead letters once, in order within a partition. @returns the offsets that markers name, by partition */
export async function scanLetters(
  connection: KafkaConnection,
  admin: KafkaAdmin,
  { topic, ranges, onProgress, onCorrupt, ...visitor }: ScanOptions,
): Promise<ReadonlyMap<number, OffsetRanges>> {
  const redriven = new Map([...ranges.keys()].map((partition) => [partition, new OffsetRanges()]));
  const of = [...ranges.values()].reduce((sum, { from, to }) => sum + Math.max(0, Number(to - from)), 0);
  const positions = new Map<number, number>();
  const visit = (records: readonly FetchedRecord[]) => {
    for (const record of records) visitLetter(record, redriven.get(record.partition)!, visitor);
    const { partition, offset } = records.at(-1)!;
    positions.set(partition, Number(offset + 1n - ranges.get(partition)!.from));
    onProgress({ read: [...positions.values()].reduce((sum, each) => sum + each, 0), of });
  };
  await readRanges(connection, admin, { topic, ranges, visit, onCorrupt });
  return redriven;
}

/** Visits a letter; adds the offsets that a marker names to `redriven`. */
export function visitLetter(
  record: FetchedRecord,
  redriven: OffsetRanges,
  { onLetter, onDefect }: LetterVisitor,
): void {
  try {
    const ranges = readMarker(record);
    if (ranges !== undefined) {
      for (const [first, last] of ranges) redriven.add(first, last);
      return;
    }
    const letter = readLetter(record);
    if (letter !== undefined) onLetter(letter);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    onDefect(record, new RecordDefect('decode', error));
  }
}
