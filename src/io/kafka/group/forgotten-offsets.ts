import type { KafkaAdmin, OffsetBounds } from '../admin/admin.ts';
import { SharedAnswer } from '../admin/shared-answer.ts';
import type { AssignedPartition } from './assigned-partition.ts';

type Asked = Pick<KafkaAdmin, 'offsetBounds' | 'offsetsAt' | 'offsetsRetentionMs'>;

/** What Kafka does unless it is told otherwise. */
const KAFKAS_RETENTION_MS = 7 * 86_400_000;
/** Members that begin together note so within this time, in s. */
const BEGINNING_S = 300;

/**
 * Whether brokers may have forgotten what was committed for a partition. They do so some time after a group has lost its
 * last member (`offsets.retention.minutes`): what it had read was written before that time, and is old by now, or gone.
 */
export class AgedPartitions {
  readonly #admin: Asked;
  readonly #nowMs: () => number;
  readonly #old = new Map<string, SharedAnswer<ReadonlyMap<number, bigint>>>();

  constructor(admin: Asked, nowMs: () => number = Date.now) {
    this.#admin = admin;
    this.#nowMs = nowMs;
  }

  async isOld(topic: string, partition: number, { low, high }: OffsetBounds): Promise<boolean> {
    if (low > 0n) return true;
    if (high === 0n) return false;
    return ((await this.#remembered(topic).read()).get(partition) ?? high) > low;
  }

  /** By partition the first offset whose record is younger than what brokers remember. */
  #remembered(topic: string): SharedAnswer<ReadonlyMap<number, bigint>> {
    let answer = this.#old.get(topic);
    if (answer === undefined) {
      answer = new SharedAnswer(async () => {
        const retentionMs = (await this.#admin.offsetsRetentionMs()) ?? KAFKAS_RETENTION_MS;
        return await this.#admin.offsetsAt(topic, this.#nowMs() - retentionMs);
      });
      this.#old.set(topic, answer);
    }
    return answer;
  }
}

/**
 * Tells a group whose commits were forgotten from one that has never read, for a partition without a commit:
 *
 * - It has commits for others of the topic's partitions, which say that this one was there when they began. All
 *   partitions are committed when they begin, so its commit is gone.
 * - It has none at all, and topics that it writes to have records from before brokers would have forgotten it.
 */
export class ForgottenOffsets {
  readonly #aged: AgedPartitions;
  readonly #admin: Asked;
  readonly #written: () => readonly string[];
  readonly #nowMs: () => number;
  readonly #committed: SharedAnswer<Awaited<ReturnType<KafkaAdmin['committedEntries']>>>;
  readonly #hasWritten: SharedAnswer<boolean>;

  /** @param written the topics that members of the group write to, all others do not */
  constructor(
    admin: Asked & Pick<KafkaAdmin, 'committedEntries'>,
    group: string,
    written: () => readonly string[],
    nowMs: () => number = Date.now,
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

  async #anyWritten(): Promise<boolean> {
    for (const topic of this.#written()) {
      for (const [partition, bounds] of await this.#admin.offsetBounds(topic)) {
        if (await this.#aged.isOld(topic, partition, bounds)) return true;
      }
    }
    return false;
  }
}
