import { StaleMembershipError } from '../errors.ts';
import { commitRefusals } from '../patch/partition-errors.ts';
import type { ConsumerGroupInstance } from '../patch/types.ts';
import type { AssignedPartition } from './assigned-partition.ts';

interface Waiting {
  readonly partition: AssignedPartition;
  readonly offset: bigint;
  readonly note: string;
  readonly settle: PromiseWithResolvers<void>;
}

/**
 * Batches offset commits: those that arrive while an OffsetCommit is under way go in one request. Each is settled on
 * its own: a refused one does not hold up the others.
 *
 * One attempt per call; retries are the caller's, who knows whether the partition is still held.
 */
export class OffsetCommitter {
  readonly #group: () => ConsumerGroupInstance | undefined;
  #waiting: Waiting[] = [];
  #running = false;

  constructor(group: () => ConsumerGroupInstance | undefined) {
    this.#group = group;
  }

  /**
   * @throws StaleMembershipError when the partition is lost or the generation has changed before the request is sent
   */
  commit(partition: AssignedPartition, offset: bigint, note = ''): Promise<void> {
    const settle = Promise.withResolvers<void>();
    this.#waiting.push({ partition, offset, note, settle });
    if (!this.#running) void this.#run();
    return settle.promise;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const group = this.#group();
      const batch = this.#waiting.filter(({ partition }) => isHeld(partition, group));
      for (const { partition, settle } of this.#waiting) {
        if (isHeld(partition, group)) continue;
        settle.reject(new StaleMembershipError(`${partition.topic}/${partition.partition} may have moved`));
      }
      this.#waiting = [];
      if (group === undefined || batch.length === 0) continue;
      try {
        await group.commitOffsets({ topics: byTopic(batch) });
        for (const { settle } of batch) settle.resolve();
      } catch (error) {
        for (const { partition, settle } of batch) {
          const refusal = refusalOf(partition, error);
          if (refusal === undefined) settle.resolve();
          else settle.reject(refusal);
        }
      }
    }
    this.#running = false;
  }
}

/**
 * Brokers check membership, not ownership of partitions: a commit that waited through a rebalance would be sent in the
 * new generation and could move back the offset of the partition's next owner.
 */
function isHeld({ state, membership }: AssignedPartition, group: ConsumerGroupInstance | undefined): boolean {
  return state !== 'lost' && group !== undefined && group.generationId === membership.generationId;
}

/** Error of one partition in a failed request; undefined: it was committed. */
function refusalOf({ topic, partition }: AssignedPartition, error: unknown): unknown {
  const refusals = commitRefusals(error);
  if (refusals === undefined) return error;
  return refusals.find((each) => each.topic === topic && each.partition === partition)?.error;
}

function byTopic(batch: readonly Waiting[]) {
  const topics = new Map<string, { partition: number; offset: string; metadata: string }[]>();
  for (const { partition: assigned, offset, note } of batch) {
    const { topic, partition } = assigned;
    const partitions = topics.get(topic) ?? [];
    partitions.push({ partition, offset: String(offset), metadata: note });
    topics.set(topic, partitions);
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}
