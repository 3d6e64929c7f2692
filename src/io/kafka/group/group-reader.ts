import type { Logger } from 'pino';
import { errorMessage, RetryableError } from '../../../core/model/errors.ts';
import { monotonicMs } from '../../time/clock.ts';
import { Backoff, sleep, within } from '../../time/sleep.ts';
import type { CommittedOffset, KafkaAdmin } from '../admin/admin.ts';
import { SharedAnswer } from '../admin/shared-answer.ts';
import type { KafkaConnection } from '../client/connection.ts';
import { isMembershipError, kafkaErrorType, type UnreadableBatchError } from '../errors.ts';
import type { GroupObserver, Ownership } from '../patch/group-observer.ts';
import type { ConsumerGroupInstance, FetchedBatch, FetchRoom, GroupMembership } from '../patch/types.ts';
import { StaleAnswerGuard } from '../topic/stale-answer-guard.ts';
import { type Identity, TopicIdentity, type TopicNow } from '../topic/topic-identity.ts';
import { readMark, withMark } from '../topic/topic-mark.ts';
import type { AssignedPartition, PartitionGroup } from './assigned-partition.ts';
import type { CorruptBatches } from './corrupt-batches.ts';
import { GroupMember, type GroupMemberOptions } from './group-member.ts';
import { HeldPartitions, type TopicPartitions } from './held-partitions.ts';
import { OffsetCommitter } from './offset-committer.ts';
import { type CommittedStart, StartOffsets, type StartQuestions } from './start-offset.ts';

export type { CommittedStart };

/** Settings of a group that is read. Times in ms, sizes in bytes. */
export interface GroupReaderOptions extends GroupMemberOptions {
  /** Most bytes fetched and not yet done, over all partitions; a single large record may overshoot it. */
  readonly queueBytes: number;
  /** Decides whether a partition goes on behind an unreadable record batch. Absent: it never does. */
  readonly corrupt?: Pick<CorruptBatches, 'passesOver' | 'retryMs'>;
  /** Tells whether the commit of a partition has expired, if it has none. Absent: not checked. */
  readonly forgotten?: StartQuestions['forgotten'];
  /** The work on one partition. Runs until the partition is lost or drained; then it must return. */
  readonly consume: (partition: AssignedPartition) => Promise<void>;
}

/** Most bytes of one partition that are fetched ahead of its work: several steps' worth. More would gain nothing. */
const MOST_AHEAD_BYTES = 16 * 1024 * 1024;
const OWNERSHIP_RETRY_MS = 200;
/** Interval between log lines about one partition's unreadable batch or refused commit, in ms. */
const TROUBLE_LOG_MS = 60_000;
/** Failures of a commit after which it is logged: more than a moving coordinator causes. */
const COMMIT_FAILURES = 25;
/** Retry interval of a partition whose next record is too large for the memory left by the others, in ms. */
const HELD_BACK_RETRY_MS = 200;
/** Backoff for commits refused by a coordinator that accepts this member's heartbeats, in ms. */
const COMMIT_RETRY_MIN_MS = 100;
const COMMIT_RETRY_MAX_MS = 5_000;
const NEVER_PASSED: NonNullable<GroupReaderOptions['corrupt']> = {
  passesOver: async () => false,
  retryMs: 5_000,
};
/** A fetch may bring at most 1/4 of its limit for one partition. */
const PARTITION_SHARE_OF_FETCH = 4;
const LEAST_FETCH_BYTES = 64 * 1024;

/**
 * Reads topics as a member of a consumer group, partition by partition.
 *
 * Runs `consume` for each assigned partition, one at a time per partition. A partition that stays through a rebalance
 * goes on undisturbed. One that moves to another member finishes its work in flight first; a lost one is told at once
 * (`AssignedPartition.lose`). Its work must end before it can begin here again.
 *
 * Newly assigned partitions are paused when the member joins, before the first fetch.
 */
export class GroupReader implements GroupObserver {
  readonly #options: GroupReaderOptions;
  readonly #starts: StartOffsets;
  readonly #identity: TopicIdentity;
  readonly #metadata: SharedAnswer<void>;
  readonly #log: Logger;
  readonly #member: GroupMember;
  readonly #held: HeldPartitions;
  readonly #committer: OffsetCommitter;
  #stopping = false;
  #joinedMs = Number.NEGATIVE_INFINITY;
  /** When each trouble of a partition was last logged, by `monotonicMs`. */
  readonly #toldMs = new Map<string, number>();
  /** Ends the wait of `readable`. */
  #wake: (() => void) | undefined;

  constructor(
    connection: KafkaConnection,
    admin: KafkaAdmin,
    options: GroupReaderOptions,
    log: Logger,
    unlikely = new StaleAnswerGuard(),
  ) {
    this.#metadata = new SharedAnswer(() => this.#refreshMetadata());
    this.#identity = new TopicIdentity((topic) => this.#topicNow(topic), unlikely);
    this.#starts = new StartOffsets({
      admin,
      committed: (partition) => this.committed(partition),
      identity: this.#identity,
      unlikely,
      forgotten: options.forgotten,
    });
    this.#options = options;
    this.#log = log.child({ group: options.groupId });
    this.#member = new GroupMember(connection, options, this, this.#log);
    this.#held = new HeldPartitions({
      group: this.#partitionGroup(),
      consume: options.consume,
      onFailure: (error) => this.#member.fail(error),
    });
    this.#committer = new OffsetCommitter(() => this.#member.group);
  }

  /** Rejects when the reader cannot go on; the process should then end with the reason. */
  get failure(): Promise<never> {
    return this.#member.failure;
  }

  /** The partitions assigned now, without lost ones and those being given up. */
  get partitions(): readonly AssignedPartition[] {
    return this.#held.partitions;
  }

  /** Its id in the group; undefined before the first join. */
  get memberId(): string | undefined {
    return this.#member.group?.memberId ?? undefined;
  }

  /** True while this process is a member of the group. */
  get joined(): boolean {
    return this.#member.joined;
  }

  /**
   * When the group last showed that it knows this member, by `monotonicMs`. A join counts from its end, since it may
   * take longer than a session.
   */
  get heardMs(): number {
    return Math.max(this.#joinedMs, this.#member.group?.heardMs ?? Number.NEGATIVE_INFINITY);
  }

  get sessionTimeout(): number {
    return this.#options.sessionTimeout;
  }

  /**
   * `topics` or `eligible` has changed: the member rejoins. Partitions that stay are worked on meanwhile, the others
   * are given up as in any rebalance.
   */
  subscriptionChanged(): void {
    this.#member.subscriptionChanged();
  }

  /** Joins the group. Resolves when reading has begun; waits for brokers that are away. */
  start(): Promise<void> {
    return this.#member.start();
  }

  /**
   * Start offset: the committed one, or the oldest record kept when there is none or it is gone.
   *
   * @throws RetryableError while the brokers' answers are implausible, FatalKafkaError when the partition does not
   *   exist
   */
  startOffset(partition: AssignedPartition): Promise<CommittedStart> {
    return this.#starts.of(partition);
  }

  /**
   * The group's commit for a partition, if any. Read from the coordinator of this membership: another broker may be a
   * deposed coordinator.
   */
  async committed({ topic, partition }: AssignedPartition): Promise<CommittedOffset | undefined> {
    const { group } = this.#member;
    if (group === undefined) throw new RetryableError('this process is no member of the group now');
    const { offset, metadata } = await group.committedOffset({ topic, partition });
    if (Number(offset) < 0) return undefined;
    const { note, mark } = readMark(metadata ?? '');
    return { offset: BigInt(offset), metadata: note, mark };
  }

  /** Compares the topic's present id with the marks of a partition's commits. @throws RetryableError */
  lookAtTopic(partition: AssignedPartition, marks: readonly CommittedOffset['mark'][]): Promise<Identity> {
    return this.#identity.look(partition, marks);
  }

  /**
   * Resolves once the group coordinator has accepted a heartbeat, sent after the call, in the generation in which
   * this process holds the partition. Waits through rebalances and for brokers that are away, until `signal`.
   *
   * @throws PartitionLostError
   */
  async confirmOwnership(partition: AssignedPartition, signal = partition.lost): Promise<void> {
    for (;;) {
      partition.assertOwned();
      if (signal.aborted) return;
      const { group } = this.#member;
      if (group !== undefined && isMember(group, partition)) {
        try {
          // A heartbeat that is under way is shared: only the second one is surely sent after the call.
          await group.beat({ interval: 0 });
          await group.beat({ interval: 0 });
          partition.assertOwned();
          if (isMember(group, partition)) return;
        } catch (error) {
          partition.assertOwned();
          this.#log.debug(
            { error: errorMessage(error), partition: partition.partition },
            'ownership not confirmed',
          );
        }
      }
      await sleep(OWNERSHIP_RETRY_MS, signal);
    }
  }

  /**
   * Resolves when nobody else can own the partition: at once if the coordinator acknowledged this member within the
   * session timeout. A process that was suspended for longer, or is cut off from Kafka, waits here for proof. Also
   * resolves when the partition drains.
   *
   * @throws PartitionLostError
   */
  async ensureOwned(partition: AssignedPartition): Promise<void> {
    partition.assertOwned();
    const { group } = this.#member;
    const known = group?.memberId === partition.membership.memberId;
    if (known && monotonicMs() - group.heardMs < this.#options.sessionTimeout) return;
    await this.confirmOwnership(partition, partition.ending);
  }

  /**
   * Commits `offset` as the next to read, with a note for the next reader. Concurrent commits share a request. A failed
   * commit is retried while the partition is held.
   *
   * @throws PartitionLostError
   */
  async commit(partition: AssignedPartition, offset: bigint, note = ''): Promise<void> {
    const backoff = new Backoff(COMMIT_RETRY_MIN_MS, COMMIT_RETRY_MAX_MS);
    for (let failures = 1; ; failures += 1) {
      partition.assertOwned();
      try {
        await this.#committer.commit(partition, offset, withMark(note, partition.mark));
        partition.committedTo = offset;
        return;
      } catch (error) {
        partition.assertOwned();
        this.#log.debug(
          {
            topic: partition.topic,
            partition: partition.partition,
            error: errorMessage(error),
            type: kafkaErrorType(error),
          },
          'commit failed, trying again',
        );
        if (isMembershipError(error)) {
          if (failures > 1) await sleep(backoff.next(), partition.lost);
          await this.confirmOwnership(partition);
        } else {
          if (failures >= COMMIT_FAILURES) this.#tellRefused(partition, error);
          await sleep(OWNERSHIP_RETRY_MS, partition.lost);
        }
      }
    }
  }

  /**
   * Stops in two steps. Soft: every partition drains and finishes its work in flight. Hard, at `deadline`
   * (`monotonicMs`): unfinished work counts as lost and commits nothing more. Then the group is left.
   *
   * @returns partitions with unfinished work at the deadline
   */
  async stop(deadline: number): Promise<AssignedPartition[]> {
    this.#stopping = true;
    this.#member.stopping();
    await within(this.#held.drainAll(), deadline - monotonicMs());
    const left = this.#held.unfinished;
    this.#held.loseAll();
    this.#wake?.();
    await this.#member.leave(deadline);
    return left;
  }

  /** The group's events (patch/group-observer.ts). */

  claims(): Ownership {
    return this.#held.claims(this.#member.group?.memberId ?? null);
  }

  mustRejoin(): boolean {
    return this.#held.mustRejoin;
  }

  assigned(membership: GroupMembership, assignment: TopicPartitions): void {
    this.#joinedMs = monotonicMs();
    this.#held.assigned(membership, assignment);
  }

  lost(): void {
    this.#held.loseAll();
  }

  async readable(ms: number): Promise<void> {
    if (this.#stopping || this.partitions.some((partition) => !partition.paused)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      const previous = this.#wake;
      this.#wake = () => {
        clearTimeout(timer);
        previous?.();
        resolve();
      };
    });
    this.#wake = undefined;
  }

  fetchBounds(): { bytes: number; waitMs: number } {
    return { bytes: this.#options.fetchMaxBytes, waitMs: this.#options.fetchMaxWait };
  }

  /** `#fetchShare` in bytes on the wire. One limit for all partitions, so the one with the largest expansion decides. */
  partitionBytes(): number {
    const read = this.partitions.filter(({ paused }) => !paused);
    const expansion = Math.max(1, ...read.map((partition) => partition.expansion));
    return Math.ceil(this.#fetchShare() / expansion);
  }

  /**
   * How much of a fetch may be queued. All partitions together stay within `queueBytes`, except that one record of any
   * size is admitted while there is room, and a small one always, so that no partition waits for others.
   */
  room(topic: string, partition: number): FetchRoom | undefined {
    const held = this.#held.get(topic, partition);
    if (held === undefined) return undefined;
    const share = this.#queueShare();
    const isFull = this.#held.heldBytes >= this.#options.queueBytes;
    return {
      bytes: Math.max(isFull ? 0 : this.#fetchShare(), share - held.queuedBytes),
      firstBytes: isFull ? Math.max(share, LEAST_FETCH_BYTES) : Number.POSITIVE_INFINITY,
    };
  }

  heldBack(topic: string, partition: number): void {
    this.#held.get(topic, partition)?.fetchLater(HELD_BACK_RETRY_MS);
  }

  fetched(batch: FetchedBatch): boolean {
    return this.#held.get(batch.topic, batch.partition)?.offer(batch) ?? false;
  }

  offsetOutOfRange(topic: string, partition: number): void {
    this.#held.get(topic, partition)?.outOfRange();
  }

  /** Holds the partition at an unreadable batch, and skips the batch only if `corrupt` says so. Others go on. */
  unreadable(topic: string, partition: number, error: UnreadableBatchError): void {
    const held = this.#held.get(topic, partition);
    if (held === undefined) return;
    const { corrupt = NEVER_PASSED } = this.#options;
    held.heldUp(error);
    this.#tellUnreadable(held, error);
    corrupt
      .passesOver(held, error)
      .catch((reason) => {
        this.#log.debug(
          { topic, partition, error: errorMessage(reason) },
          'what is to be skipped is not known',
        );
        return false;
      })
      .then((passes) => {
        if (passes) held.passOver(error);
        else held.fetchLater(corrupt.retryMs);
      });
  }

  metadataChanged(): void {
    for (const partition of this.partitions)
      partition.topicIs(this.#member.group?.topicOf(partition.topic)?.topicId);
  }

  topicMissing(topic: string): void {
    for (const partition of this.partitions) if (partition.topic === topic) partition.topicMissing();
  }

  async #refreshMetadata(): Promise<void> {
    const { group } = this.#member;
    if (group === undefined) throw new RetryableError('this process is no member of the group now');
    await group.refreshMetadata().catch((error) => {
      // Another topic that is gone does not matter here; this one is checked elsewhere.
      if (kafkaErrorType(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
    });
  }

  /** The topic in metadata requested after the call. */
  async #topicNow(topic: string): Promise<TopicNow | undefined> {
    await this.#metadata.read();
    return this.#member.group?.topicOf(topic);
  }

  #tellUnreadable({ topic, partition }: AssignedPartition, error: UnreadableBatchError): void {
    if (!this.#isNews(`${topic}/${partition} unreadable`)) return;
    this.#log.error(
      { topic, partition, error: error.message },
      'records cannot be read; the partition waits at them, and is tried again (docs/operations/runbooks.md)',
    );
  }

  #tellRefused({ topic, partition }: AssignedPartition, error: unknown): void {
    if (!this.#isNews(`${topic}/${partition} refused`)) return;
    this.#log.warn(
      { topic, partition, error: errorMessage(error), type: kafkaErrorType(error) },
      'an offset is not committed; the partition waits, and it is tried again until it is',
    );
  }

  /** True once per `TROUBLE_LOG_MS` for the same trouble. */
  #isNews(trouble: string): boolean {
    const now = monotonicMs();
    if (now - (this.#toldMs.get(trouble) ?? Number.NEGATIVE_INFINITY) < TROUBLE_LOG_MS) return false;
    this.#toldMs.set(trouble, now);
    return true;
  }

  #queueShare(): number {
    return Math.min(MOST_AHEAD_BYTES, this.#options.queueBytes / Math.max(1, this.#held.count));
  }

  /** Queue bytes per fetch: half a queue, so that one half is fetched while the other is worked on. */
  #fetchShare(): number {
    const most = this.#options.fetchMaxBytes / PARTITION_SHARE_OF_FETCH;
    return Math.ceil(Math.min(most, Math.max(LEAST_FETCH_BYTES, this.#queueShare() / 2)));
  }

  #partitionGroup(): PartitionGroup {
    const position = ({ topic, partition }: AssignedPartition) => [{ topic, partitions: [partition] }];
    return {
      pause: (partition) => this.#member.group?.pause(position(partition)),
      resume: (partition) => {
        this.#member.group?.resume(position(partition));
        this.#wake?.();
      },
      seek: ({ topic, partition }, offset) =>
        this.#member.group?.seek({ topic, partition, offset: String(offset) }),
      queueShare: () => this.#queueShare(),
      fetchShare: () => this.#fetchShare(),
    };
  }
}

/** True if kafkajs' present membership is the one under which the partition was assigned. */
function isMember(group: ConsumerGroupInstance, { membership }: AssignedPartition): boolean {
  // kafkajs clears its member id when the broker no longer knows it; a heartbeat then resolves without a request.
  return group.memberId === membership.memberId && group.generationId === membership.generationId;
}
