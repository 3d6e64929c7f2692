import type { KafkaAdmin } from '../admin/admin.ts';
import type { UnreadableBatch, UnreadableBatchError } from '../errors.ts';

/** What becomes of a record batch that cannot be read. */
export type CorruptBatchPolicy = 'stop' | 'set_aside';

/** One partition, and the batch that holds it up. */
interface HeldUp {
  readonly topic: string;
  readonly partition: number;
}

/** The group in whose offsets `penstock dead skip` leaves what the members of a group are to pass over. Nobody joins it. */
export function skipGroup(groupId: string): string {
  return `penstock.skip.${groupId}`;
}

/** What tells a batch from any other one that may be at the same offset, as in a topic that was created again. */
export function fingerprint({ offset, checksum, length }: UnreadableBatch): string {
  return `${offset}:${checksum.toString(16).padStart(8, '0')}:${length}`;
}

/**
 * Decides whether a partition goes on behind a record batch that cannot be read: where it was asked for by
 * `penstock dead skip`, and always by `set_aside`, once a second fetch has brought the same bytes.
 */
export class CorruptBatches {
  readonly #admin: Pick<KafkaAdmin, 'committedEntries'>;
  readonly #groupId: string;
  readonly #policy: () => CorruptBatchPolicy;
  /** By partition the fingerprint of the batch that was met last. */
  readonly #met = new Map<string, string>();

  /** @param policy the one in force */
  constructor(
    admin: Pick<KafkaAdmin, 'committedEntries'>,
    groupId: string,
    policy: () => CorruptBatchPolicy,
  ) {
    this.#admin = admin;
    this.#groupId = groupId;
    this.#policy = policy;
  }

  /** Milliseconds until it is fetched again. A batch that is corrupt on one replica may be whole on another that leads next. */
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
