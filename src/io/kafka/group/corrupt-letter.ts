import type { OutgoingRecord } from '../../../core/model/records.ts';
import { type DeadTopic, encodeDeadLetter } from '../../../core/record/dead-letter.ts';
import type { CorruptBatch } from './assigned-partition.ts';

/** Reason of the dead letter that holds a record batch. */
export const CORRUPT_BATCH = 'corrupt_batch';

/** The dead letter of an unreadable record batch: its bytes as fetched, as far as they fit. */
export function corruptLetter(
  { topic, partition }: { readonly topic: string; readonly partition: number },
  stage: 'decode' | 'deliver',
  { offset, nextOffset, bytes, length, message }: CorruptBatch,
  dead: DeadTopic,
  nowMs: number,
): OutgoingRecord {
  return encodeDeadLetter(
    {
      source: { topic, partition, offset, timestamp: nowMs },
      stage,
      reason: CORRUPT_BATCH,
      message,
      value: bytes,
      batch: { length, offsets: `${offset}-${nextOffset - 1n}` },
      headers: {},
    },
    dead,
    nowMs,
  );
}
