import type { OutgoingRecord } from '../../../core/model/records.ts';
import { type DeadTopic, encodeDeadLetter } from '../../../core/record/dead-letter.ts';
import type { KafkaAdmin } from '../admin/admin.ts';
import type { UnreadableBatch, UnreadableBatchError } from '../errors.ts';
import type { CorruptBatch } from './assigned-partition.ts';

/** How an unreadable record batch is handled: wait at it, or write it to a dead letter and go on. */
export type CorruptBatchPolicy = 'stop' | 'set_aside';

/** A partition held up by an unreadable batch. */
interface HeldUp {
  readonly topic: string;
  readonly partition: number;
}

/** Id of the group in whose offsets `penstock dead skip` notes batches for a group to skip. It has no members. */
export function skipGroup(groupId: string): string {
  return `penstock.skip.${groupId}`;
}

/** Tells a batch from another at the same offset, as in a topic that was recreated. */
export function fingerprint({ offset, checksum, length }: UnreadableBatch): string {
  return `${offset}:${checksum.toString(16).padStart(8, '0')}:${length}`;
}

/**
 * Decides whether a partition goes on behind an unreadable record batch: if `penstock dead skip` asked for it, or under
 * the policy `set_aside` once a second fetch has brought the same batch.
 */
export class CorruptBatches {
  readonly #admin: Pick<KafkaAdmin, 'committedEntries'>;
  readonly #groupId: string;
  readonly #policy: () => CorruptBatchPolicy;
  /** Fingerprint of the last batch met, by partition. */
  readonly #met = new Map<string, string>();

  /** @param policy returns the policy in force */
  constructor(
    admin: Pick<KafkaAdmin, 'committedEntries'>,
    groupId: string,
    policy: () => CorruptBatchPolicy,
  ) {
    this.#admin = admin;
    this.#groupId = groupId;
    this.#policy = policy;
  }

  /** Milliseconds until the batch is fetched again: a replica that becomes leader may have it intact. */
  get retryMs(): number {
    return this.#policy() === 'set_aside' ? 1_000 : 5_000;
  }

  async passesOver({ topic, partition }: HeldUp, { batch }: UnreadableBatchError): Promise<boolean> {
    if (batch === undefined) return false;
    const id = `${topic}/${partition}`;
    const met = fingerprint(batch);
    const isMetAgain = this.#met.get(id) === met;
    this.#met.set(id, met);
    if (this.#policy() === 'set_aside' && isMetAgain) return true;
    const skips = await this.#admin.committedEntries(skipGroup(this.#groupId));
    return skips.get(topic)?.get(partition)?.metadata === met;
  }
}

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
