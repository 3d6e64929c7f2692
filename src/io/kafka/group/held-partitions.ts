import { PartitionLostError } from '../errors.ts';
import type { GroupMembership } from '../patch/types.ts';
import { AssignedPartition, type PartitionGroup } from './assigned-partition.ts';

/** Partition ids by topic. */
export type TopicPartitions = Readonly<Record<string, readonly number[]>>;

export interface HeldPartitionsOptions {
  readonly group: PartitionGroup;
  /** The work on one partition. Runs until the partition is lost or drained; then it must return. */
  readonly consume: (partition: AssignedPartition) => Promise<void>;
  readonly onFailure: (error: unknown) => void;
}

/**
 * The partitions that a group member holds, through rebalances.
 *
 * A partition assigned again goes on as it is. Any other is *given up*: it drains, so work in flight is finished and
 * committed, and only then the member rejoins without claiming it, so that another can get it (`assignCooperatively`).
 * A member whose session has ended gets a new id and loses everything: others may hold it all.
 */
export class HeldPartitions {
  readonly #options: HeldPartitionsOptions;
  readonly #held = new Map<string, AssignedPartition>();
  /** Given up, and not finished yet. */
  readonly #givenUp = new Set<AssignedPartition>();
  /** The running `consume` of each partition, also after it was lost. */
  readonly #loops = new Map<string, Promise<void>>();
  #membership: GroupMembership | undefined;
  #unclaimed = false;
  #stopping = false;

  constructor(options: HeldPartitionsOptions) {
    this.#options = options;
  }

  /** Assigned now, without lost and given-up ones. */
  get partitions(): readonly AssignedPartition[] {
    return [...this.#held.values()];
  }

  /** Number of partitions assigned now. */
  get count(): number {
    return this.#held.size;
  }

  /** Bytes queued and in work, of all assigned partitions. */
  get heldBytes(): number {
    let bytes = 0;
    for (const partition of this.#held.values()) bytes += partition.heldBytes;
    return bytes;
  }

  get(topic: string, partition: number): AssignedPartition | undefined {
    return this.#held.get(key(topic, partition));
  }

  /** Partitions held by the member `memberId`, for its join. */
  claims(memberId: string | null): { generation: number; owned: TopicPartitions } {
    this.#unclaimed = false;
    const owned: Record<string, number[]> = {};
    if (this.#membership?.memberId !== memberId) return { generation: -1, owned };
    for (const { topic, partition } of [...this.#held.values(), ...this.#givenUp]) {
      const list = (owned[topic] ??= []);
      if (!list.includes(partition)) list.push(partition);
    }
    return { generation: this.#membership?.generationId ?? -1, owned };
  }

  /** True when a partition claimed at the last join is free now: nobody gets it until this member rejoins. */
  get mustRejoin(): boolean {
    return this.#unclaimed && this.#givenUp.size === 0 && !this.#stopping;
  }

  /** Takes over the assignment of a join. */
  assigned(membership: GroupMembership, assignment: TopicPartitions): void {
    if (this.#membership?.memberId !== membership.memberId) this.loseAll();
    this.#membership = membership;
    for (const partition of this.#givenUp) partition.stayed(membership);
    const assigned = new Map(
      Object.entries(assignment).flatMap(([topic, list]) =>
        list.map((partition) => [key(topic, partition), { topic, partition }] as const),
      ),
    );
    for (const [id, partition] of this.#held) {
      partition.stayed(membership);
      if (!assigned.has(id)) this.#giveUp(id, partition);
    }
    for (const [id, { topic, partition }] of assigned) {
      if (this.#held.has(id)) continue;
      this.#open(id, new AssignedPartition(topic, partition, membership, this.#options.group));
    }
  }

  /** This process is no longer a member of the group. */
  loseAll(): void {
    for (const partition of [...this.#held.values(), ...this.#givenUp]) partition.lose();
    this.#held.clear();
    this.#givenUp.clear();
    this.#membership = undefined;
  }

  /** Drains every partition, also those that are still to come. Resolves when all work has ended. */
  async drainAll(): Promise<void> {
    this.#stopping = true;
    for (const partition of this.#held.values()) partition.drain();
    await Promise.all(this.#loops.values());
  }

  /** Partitions with work that has not ended. */
  get unfinished(): AssignedPartition[] {
    return [...this.#held.values(), ...this.#givenUp].filter(({ topic, partition }) =>
      this.#loops.has(key(topic, partition)),
    );
  }

  #open(id: string, partition: AssignedPartition): void {
    this.#options.group.pause(partition);
    this.#held.set(id, partition);
    if (this.#stopping) partition.drain();
    const before = this.#loops.get(id) ?? Promise.resolve();
    const loop = before.then(async () => {
      try {
        if (partition.active) await this.#options.consume(partition);
      } catch (error) {
        if (!(error instanceof PartitionLostError)) this.#options.onFailure(error);
      }
      if (this.#loops.get(id) === loop) this.#loops.delete(id);
    });
    this.#loops.set(id, loop);
  }

  #giveUp(id: string, partition: AssignedPartition): void {
    this.#held.delete(id);
    this.#givenUp.add(partition);
    partition.drain();
    void (this.#loops.get(id) ?? Promise.resolve()).then(() => {
      // Not in #givenUp after loseAll; in #held if a later round has assigned it again.
      if (this.#givenUp.delete(partition) && !this.#held.has(id)) this.#unclaimed = true;
    });
  }
}

function key(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
