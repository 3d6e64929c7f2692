import { epochMs } from '../../time/clock.ts';
import type { KafkaAdmin, OffsetBounds } from '../admin/admin.ts';
import { SharedAnswer } from '../admin/shared-answer.ts';
import { TopicTroubleError } from '../topic/topic-trouble.ts';
import type { AssignedPartition } from './assigned-partition.ts';

type Asked = Pick<KafkaAdmin, 'knownBounds' | 'knownOffsetsAt' | 'offsetsAt' | 'offsetsRetentionMs'>;

/** Kafka's default for `offsets.retention.minutes`, in ms. */
const KAFKAS_RETENTION_MS = 7 * 86_400_000;
/** Members that start together make their first commits within this time, in s. */
const BEGINNING_S = 300;

/**
 * Tells whether brokers may have expired the offsets of a partition. They do so `offsets.retention.minutes` after a
 * group has lost its last member, so what the group had read is older than that, or gone.
 */
export class AgedPartitions {
  readonly #admin: Asked;
  readonly #nowMs: () => number;
  readonly #old = new Map<string, SharedAnswer<ReadonlyMap<number, bigint>>>();

  constructor(admin: Asked, nowMs: () => number = epochMs) {
    this.#admin = admin;
    this.#nowMs = nowMs;
  }

  /** @throws TopicTroubleError when the partition has no leader; what other partitions have does not matter */
  async isOld(topic: string, partition: number, { low, high }: OffsetBounds): Promise<boolean> {
    if (low > 0n) return true;
    if (high === 0n) return false;
    const first = (await this.#remembered(topic).read()).get(partition);
    return (first ?? (await this.#firstRemembered(topic, partition)) ?? high) > low;
  }

  /** The offset of `#remembered`, of a partition whose leader was away when all were asked. */
  async #firstRemembered(topic: string, partition: number): Promise<bigint | undefined> {
    return (await this.#admin.offsetsAt(topic, await this.#sinceMs(), [partition])).get(partition);
  }

  /** First offset whose record is within the offsets retention, of partitions that have a leader. */
  #remembered(topic: string): SharedAnswer<ReadonlyMap<number, bigint>> {
    let answer = this.#old.get(topic);
    if (answer === undefined) {
      answer = new SharedAnswer(async () => this.#admin.knownOffsetsAt(topic, await this.#sinceMs()));
      this.#old.set(topic, answer);
    }
    return answer;
  }

  async #sinceMs(): Promise<number> {
    return this.#nowMs() - ((await this.#admin.offsetsRetentionMs()) ?? KAFKAS_RETENTION_MS);
  }
}

/**
 * Tells expired commits from a group that has never read, for a partition without a commit. They have expired if
 * either:
 *
 * - The group has commits for other partitions of the topic, whose marks say that this one existed when they began.
 *   Every partition is committed when it begins, so this commit is gone.
 * - The group has no commits at all, the partition has records older than the offsets retention, and so has a topic
 *   that the group writes to.
 */
export class ForgottenOffsets {
  readonly #aged: AgedPartitions;
  readonly #admin: Asked;
  readonly #written: () => readonly string[];
  readonly #nowMs: () => number;
  readonly #committed: SharedAnswer<Awaited<ReturnType<KafkaAdmin['committedEntries']>>>;
  readonly #hasWritten: SharedAnswer<boolean>;

  /** @param written topics that only members of this group write to */
  constructor(
    admin: Asked & Pick<KafkaAdmin, 'committedEntries'>,
    group: string,
    written: () => readonly string[],
    nowMs: () => number = epochMs,
  ) {
    this.#admin = admin;
    this.#aged = new AgedPartitions(admin, nowMs);
    this.#written = written;
    this.#nowMs = nowMs;
    this.#committed = new SharedAnswer(() => admin.committedEntries(group));
    this.#hasWritten = new SharedAnswer(() => this.#anyWritten());
  }

  async of({ topic, partition, mark }: AssignedPartition, bounds: OffsetBounds): Promise<boolean> {
    const committed = await this.#committed.read();
    if ([...committed.values()].every(({ size }) => size === 0)) {
      return (await this.#aged.isOld(topic, partition, bounds)) && (await this.#hasWritten.read());
    }
    const begunBefore = this.#nowMs() / 1000 - BEGINNING_S;
    const others = [...(committed.get(topic)?.values() ?? [])];
    return others.some(({ mark: other }) => {
      const isOfThis = other !== undefined && other.topicId === mark?.topicId;
      return isOfThis && other.partitions > partition && other.since < begunBefore;
    });
  }

  /** Topics and partitions that are away now are left out: they hold up those of their route, not all that begin. */
  async #anyWritten(): Promise<boolean> {
    for (const topic of this.#written()) {
      for (const [partition, bounds] of await this.#boundsOf(topic)) {
        if (await this.#aged.isOld(topic, partition, bounds)) return true;
      }
    }
    return false;
  }

  async #boundsOf(topic: string): Promise<ReadonlyMap<number, OffsetBounds>> {
    try {
      return (await this.#admin.knownBounds(topic)).bounds;
    } catch (error) {
      if (error instanceof TopicTroubleError) return new Map();
      throw error;
    }
  }
}
