import type { KafkaAdmin } from '../kafka/admin.ts';
import type { KafkaConnection } from '../kafka/client.ts';
import { type OffsetGap, type OffsetRange, readRanges } from '../kafka/range-reader.ts';
import { readLetter, type StoredLetter } from './letter.ts';
import { readMarker } from './marker.ts';
import { OffsetRanges } from './offset-ranges.ts';

/** How far a reading is. Offsets count, so transaction markers do too. */
export interface Progress {
  readonly read: number;
  readonly of: number;
}

export interface ScanOptions {
  readonly topic: string;
  readonly ranges: ReadonlyMap<number, OffsetRange>;
  readonly onLetter: (letter: StoredLetter) => void;
  readonly onProgress: (progress: Progress) => void;
  readonly onCorrupt?: OnCorrupt;
}

/** Told of record batches that are left out since they cannot be read; undefined: the first one is an error. */
export type OnCorrupt = ((batch: OffsetGap) => void) | undefined;

/** Reads dead letters once, in order within a partition. @returns what the markers among them name, by partition. */
export async function scanLetters(
  connection: KafkaConnection,
  admin: KafkaAdmin,
  { topic, ranges, onLetter, onProgress, onCorrupt }: ScanOptions,
): Promise<ReadonlyMap<number, OffsetRanges>> {
  const redriven = new Map([...ranges.keys()].map((partition) => [partition, new OffsetRanges()]));
  const of = [...ranges.values()].reduce((sum, { from, to }) => sum + Math.max(0, Number(to - from)), 0);
  const positions = new Map<number, number>();
  const visit = (records: Parameters<Parameters<typeof readRanges>[2]['visit']>[0]) => {
    for (const record of records) {
      if (readMarker(record, redriven.get(record.partition)!)) continue;
      const letter = readLetter(record);
      if (letter !== undefined) onLetter(letter);
    }
    const { partition, offset } = records.at(-1)!;
    positions.set(partition, Number(offset + 1n - ranges.get(partition)!.from));
    onProgress({ read: [...positions.values()].reduce((sum, each) => sum + each, 0), of });
  };
  await readRanges(connection, admin, { topic, ranges, visit, onCorrupt });
  return redriven;
}
