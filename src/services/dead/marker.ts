import type { OutgoingRecord } from '../../core/model/records.ts';
import type { FetchedRecord } from '../../io/kafka/partition-queue.ts';
import { OffsetRanges } from './offset-ranges.ts';

/** Key of a marker. A dead letter may have it too, from its record, but has a stage. */
const KEY = 'penstock-redriven';

/**
 * The record by which a redrive says, in the dead-letter topic itself, which letters of the same partition it has
 * redriven. It is written in the transaction that carries them. Retention takes a marker after the letters that it
 * names, since it stands behind them.
 */
export function markerRecord(
  topic: string,
  partition: number,
  offsets: readonly bigint[],
  nowMs: number,
): OutgoingRecord {
  const redriven = new OffsetRanges();
  for (const offset of offsets) redriven.add(offset);
  const ranges = redriven.ranges.map(([first, last]) => [String(first), String(last)]);
  return {
    topic,
    partition,
    key: Buffer.from(KEY),
    value: Buffer.from(JSON.stringify({ redriven: ranges })),
    headers: { 'content-type': 'application/json', 'penstock-version': '1' },
    timestamp: nowMs,
  };
}

/** Adds the offsets that a marker names to `redriven`; false for a record that is none. */
export function readMarker(record: FetchedRecord, redriven: OffsetRanges): boolean {
  if (record.key?.toString() !== KEY || record.headers['penstock-stage'] != null) return false;
  try {
    const { redriven: ranges } = JSON.parse(record.value?.toString() ?? '') as {
      redriven: [string, string][];
    };
    for (const [first, last] of ranges) redriven.add(BigInt(first), BigInt(last));
    return true;
  } catch {
    return false;
  }
}
