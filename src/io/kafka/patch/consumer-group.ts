import { errorMessage, RetryableError } from '../../../core/model/errors.ts';
import { monotonicMs } from '../../time/clock.ts';
import { sleep } from '../../time/sleep.ts';
import {
  isConnectionTrouble,
  isCoordinatorMoving,
  isLeaderMoved,
  isMembershipError,
  kafkaErrorType,
  type UnreadableBatchError,
} from '../errors.ts';
import { SilentBrokerError } from './connection.ts';
import type { TopicMetadata } from './metadata-v10.ts';
import {
  type AssignedTopic,
  isTopicFault,
  MissingTopics,
  type SeekableOffsets,
  type Seeks,
  seekOnly,
} from './needed-topics.ts';
import { stably } from './offset-fetch.ts';
import { TOPIC_FAULTS } from './partition-errors.ts';
import { faultOf } from './record-set.ts';
import type {
  ConsumerGroupInstance,
  FetchedBatch,
  FetchRoom,
  OriginalConsumerGroup,
  PatchedBatch,
} from './types.ts';

/** Callbacks of a kafkajs consumer group to Penstock. */
export interface GroupObserver {
  /** A group member was made: at `run`, and again after each crash and restart. */
  groupCreated(group: ConsumerGroupInstance): void;
  /** True if the member has to rejoin: it holds less than it claimed at its last join. Absent: never. */
  mustRejoin?(): boolean;
  /** Resolves when there is a partition to read, at the latest after `ms`. */
  readable(ms: number): Promise<void>;
  /** Most bytes of the next fetch over all brokers, and its longest wait. Absent: as kafkajs is configured. */
  fetchBounds?(): { readonly bytes: number; readonly waitMs: number };
  /** Most bytes of the next fetch for one partition. Absent: as kafkajs is configured. */
  partitionBytes?(): number;
  /** Memory for the records fetched for a partition; undefined: they are not wanted any more. Absent: unlimited. */
  room?(topic: string, partition: number): FetchRoom | undefined;
  /** The first record at the position is too large for now. Nothing is skipped; fetch it again later. */
  heldBack?(topic: string, partition: number): void;
  /**
   * A fetch answered for one partition, possibly with control records only.
   * `false` throws the batch away: kafkajs neither hands it on nor moves its position.
   */
  fetched(batch: FetchedBatch): boolean;
  /** The position is out of range. Nothing is reset; the partition needs a new `seek`. */
  offsetOutOfRange(topic: string, partition: number): void;
  /** The batch at the position cannot be read. Nothing is skipped; the next fetch meets it again. */
  unreadable(topic: string, partition: number, error: UnreadableBatchError): void;
  /** Metadata were refreshed: topics may have been recreated. */
  metadataChanged?(): void;
  /**
   * `topic` is missing or no longer authorized. If it comes back it may be another topic, with offsets of its own.
   */
  topicMissing(topic: string): void;
}

/** Key under which a partition assigner carries its observer into kafkajs' consumer group. */
export const OBSERVER = Symbol('penstock.groupObserver');

interface Arguments {
  readonly assigners: readonly { readonly [OBSERVER]?: GroupObserver }[];
}
interface Broker {
  isConnected(): boolean;
  heartbeat(request: {
    groupId: string;
    memberId: string;
    groupGenerationId: number | null;
  }): Promise<unknown>;
  offsetFetch(request: {
    groupId: string;
    topics: { topic: string; partitions: { partition: number }[] }[];
  }): Promise<{
    responses: { topic: string; partitions: { offset: string; metadata: string | null }[] }[];
  }>;
}
interface Metadata {
  readonly topicMetadata: readonly (TopicMetadata & {
    readonly topicErrorCode: number;
    readonly partitionMetadata: readonly unknown[];
  })[];
}
interface FetchError {
  readonly type?: string;
  /** Topic of the failed answer (partition-errors.ts). */
  readonly topic?: string;
}
interface OffsetManager extends SeekableOffsets {
  coordinator: Broker;
}
interface Original extends OriginalConsumerGroup {
  maxWaitTime: number;
  /** Limit of one fetch, which goes to one broker. */
  maxBytes: number;
  maxBytesPerPartition: number;
  getNodeIds(): string[];
  /** Topics in the member's join; `topicConfigurations` keeps an entry for every topic it ever read. */
  topicsSubscribed: readonly string[];
  readonly topicConfigurations: Record<string, { fromBeginning: boolean }>;
  partitionsPerSubscribedTopic: Map<string, number[]> | null;
  generatePartitionsPerSubscribedTopic(): Map<string, number[]>;
  readonly cluster: {
    addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
    readonly brokerPool: { readonly metadata: Metadata | null };
    refreshMetadata(): Promise<void>;
    refreshMetadataIfNecessary(): Promise<void>;
    findGroupCoordinator(options: { groupId: string }): Promise<Broker>;
  };
  coordinator: Broker | null;
  readonly offsetManager: OffsetManager | null;
  readonly seekOffset: Seeks;
  seekOffsets(topicPartitions: readonly AssignedTopic[]): Promise<void>;
  checkForStaleAssignment(): void;
  joinAndSync(): Promise<void>;
  leave(): Promise<void>;
  readonly subscriptionState: { readonly assignedPartitionsByTopic: Readonly<Record<string, unknown>> };
  resolveOffset(position: { topic: string; partition: number; offset: string }): void;
  recoverFromFetch(error: FetchError): Promise<void>;
  fetch(nodeId: string): Promise<FetchedBatch[]>;
  recoverFromOffsetOutOfRange(error: { topic: string; partition: number }): Promise<void>;
}

/** Least limit of one broker's fetch, however many brokers there are. */
const LEAST_FETCH_BYTES = 1024 * 1024;
const ANY_SIZE: FetchRoom = { bytes: Number.POSITIVE_INFINITY, firstBytes: Number.POSITIVE_INFINITY };
/** Pause while a partition has no leader, or a group no coordinator: an election takes some 100 ms. */
const ELECTION_PAUSE_MS = 100;

/** Pause while an offset is part of an unsettled transaction: settling takes a coordinator a moment at most. */
const UNSTABLE_PAUSE_MS = 20;
/** A transaction unsettled for longer than this is a new one, whose producer may be alive. */
const UNSTABLE_GIVE_UP_MS = 5_000;

/** Replaces the coordinator's error, whose `type` would make kafkajs rebalance the group. */
class CoordinatorMovedError extends Error {
  override readonly name = 'CoordinatorMovedError';
  /** Has kafkajs try again. */
  readonly retriable = true;

  constructor(answer: unknown) {
    super(`the group's coordinator has moved: ${errorMessage(answer)}`);
  }
}

/**
 * kafkajs' consumer group with these changes.
 *
 * - The observer sees fetched batches first and takes only those that continue at its own position. In kafkajs a batch
 *   fetched before a seek or a rebalance can still arrive after it.
 * - An offset out of range is reported. The original silently commits the default offset, even without `autoCommit`.
 * - An unreadable batch is reported, and other partitions go on. The original crashes.
 * - A fetch is bounded over all brokers, and per partition by the room in its queue.
 * - A resumed partition ends the wait of a fetch with every partition paused. The original sleeps it out.
 * - Heartbeats are due by a monotonic clock, and `heardMs` counts those sent and answered. The original goes by the
 *   system's time: set back by an hour, it sends none for an hour and reports success.
 * - A coordinator that cannot be reached or has moved is looked up again, also when a commit fails. The original asks a
 *   dead broker for ever; when another broker takes over it rebalances the whole group, or crashes the consumer if that
 *   broker is not ready yet.
 * - A rebalance runs beside the fetches, and a member that has given up partitions starts one. The original fetches
 *   nothing from the start of a rebalance until all members have joined.
 * - A missing or unauthorized topic does not stop the others, nor a leaderless partition those of its topic: the
 *   original requests the offsets of all assigned partitions before it fetches one.
 * - A leader that moves or hangs does not make the group rebalance, and concurrent fetches that all want to join share
 *   one join.
 */
export function patchConsumerGroup(OriginalGroup: new (args: Arguments) => Original): unknown {
  return class PatchedConsumerGroup extends OriginalGroup {
    heardMs = Number.NEGATIVE_INFINITY;
    /** When the last heartbeat was answered; before the first, when this object was created. */
    #answeredMs = monotonicMs();
    readonly #observer: GroupObserver | undefined;
    #maxBytes: number | undefined;
    #beating: Promise<void> | undefined;
    #joinFailure: unknown;
    #joining: Promise<void> | undefined;
    /** True if the last join completed. If it failed, the next heartbeat joins again. */
    #joined = true;
    #finding: Promise<void> | undefined;
    #metadata: Metadata | null = null;
    readonly #missing = new MissingTopics();

    constructor(args: Arguments) {
      super(args);
      this.#observer = args.assigners.map((assigner) => assigner[OBSERVER]).find((observer) => observer);
      this.#observer?.groupCreated(this);
    }

    override async fetch(nodeId: string): Promise<FetchedBatch[]> {
      const observer = this.#observer;
      if (observer === undefined) {
        const batches = (await super.fetch(nodeId)) as PatchedBatch[];
        return Promise.all(batches.map((batch) => batch.read(ANY_SIZE)));
      }
      const { waitMs = this.maxWaitTime } = observer.fetchBounds?.() ?? {};
      this.maxWaitTime = waitMs;
      const started = monotonicMs();
      await observer.readable(this.maxWaitTime);
      if (monotonicMs() - started >= this.maxWaitTime) {
        await this.#lookForTopics();
        return [];
      }
      this.#boundFetch(observer);
      const { offsetManager } = this;
      const batches = await super.fetch(nodeId).catch((error) => {
        if (offsetManager === this.offsetManager) throw error;
        return []; // the group has rebalanced meanwhile
      });
      const { metadata } = this.cluster.brokerPool;
      if (metadata !== this.#metadata) observer.metadataChanged?.();
      this.#metadata = metadata;
      this.#tellMissing();
      const taken: FetchedBatch[] = [];
      for (const batch of batches as PatchedBatch[]) {
        const read = await this.#read(batch, observer);
        if (read !== undefined && this.#isTaken(read, observer)) taken.push(read);
      }
      return taken;
    }

    topicOf(topic: string) {
      const found = this.cluster.brokerPool.metadata?.topicMetadata.find(
        // A missing topic has no id.
        (each) => each.topic === topic && TOPIC_FAULTS[each.topicErrorCode] === undefined,
      );
      return found && { topicId: found.topicId, partitions: found.partitionMetadata.length };
    }

    refreshMetadata(): Promise<void> {
      return this.cluster.refreshMetadata();
    }

    #tellMissing(): void {
      const { metadata } = this.cluster.brokerPool;
      const assigned = this.subscriptionState.assignedPartitionsByTopic;
      for (const topic of this.#missing.news(metadata, assigned)) this.#observer?.topicMissing(topic);
    }

    /** Without fetches nothing else would notice that a topic was created or has grown. */
    async #lookForTopics(): Promise<void> {
      await this.cluster.refreshMetadataIfNecessary();
      this.checkForStaleAssignment();
      this.#tellMissing();
    }

    /**
     * Applies pending seeks only. The original also requests the offsets of all other partitions of all topics, so one
     * without a leader would stop every fetch.
     */
    override async seekOffsets(topicPartitions: readonly AssignedTopic[]): Promise<void> {
      const { offsetManager } = this;
      if (this.#observer === undefined || offsetManager === null) return super.seekOffsets(topicPartitions);
      await seekOnly(this.seekOffset, offsetManager, topicPartitions);
    }

    /** Reads as much of a batch as there is room for; undefined: none of it is wanted now. */
    async #read(batch: PatchedBatch, observer: GroupObserver): Promise<FetchedBatch | undefined> {
      const { topic, partition } = batch;
      const room = this.hasSeekOffset(batch)
        ? undefined
        : observer.room === undefined
          ? ANY_SIZE
          : observer.room(topic, partition);
      if (room === undefined) {
        batch.drop();
        return undefined;
      }
      const read = await batch.read(room);
      if (this.hasSeekOffset(batch)) return undefined;
      if (read.isHeldBack) observer.heldBack?.(topic, partition);
      return read.isHeldBack ? undefined : read;
    }

    #isTaken(batch: FetchedBatch, observer: GroupObserver): boolean {
      const fault = faultOf(batch.rawMessages);
      if (fault === undefined) return observer.fetched(batch);
      observer.unreadable(batch.topic, batch.partition, fault);
      return false;
    }

    /** Divides the fetch limit among the brokers, since each gets a fetch of its own. */
    #boundFetch(observer: GroupObserver): void {
      this.#maxBytes = observer.fetchBounds?.().bytes ?? this.#maxBytes ?? this.maxBytes;
      // No broker is known while all of them are away.
      const brokers = Math.max(1, this.getNodeIds().length);
      this.maxBytes = Math.max(LEAST_FETCH_BYTES, Math.ceil(this.#maxBytes / brokers));
      this.maxBytesPerPartition = observer.partitionBytes?.() ?? this.maxBytesPerPartition;
    }

    /** kafkajs' heartbeat between fetches. Where the original would rejoin at once, this joins beside the fetches. */
    override async heartbeat(options: { interval: number }): Promise<void> {
      if (this.#observer === undefined) return super.heartbeat(options);
      this.#meetJoinFailure();
      if (!this.#joined || this.#observer.mustRejoin?.()) this.#joinBeside();
      const { memberId, generationId } = this;
      try {
        await this.beat(options);
      } catch (error) {
        if (!isMembershipError(error)) throw error;
        const isOld = memberId !== this.memberId || generationId !== this.generationId;
        if (isOld || this.#joining !== undefined) return;
        if (kafkaErrorType(error) === 'UNKNOWN_MEMBER_ID') throw error;
        this.#joinBeside();
      }
    }

    beat(options: { interval: number }): Promise<void> {
      this.#beating ??= this.#beat(options).finally(() => {
        this.#beating = undefined;
      });
      return this.#beating;
    }

    async #beat({ interval }: { interval: number }): Promise<void> {
      const { groupId, memberId, generationId, coordinator } = this;
      const sentMs = monotonicMs();
      if (!memberId || coordinator === null || sentMs - this.#answeredMs < interval) return;
      try {
        await coordinator.heartbeat({ groupId, memberId, groupGenerationId: generationId });
        this.heardMs = sentMs;
        this.#answeredMs = monotonicMs();
      } catch (error) {
        // REBALANCE_IN_PROGRESS shows that the member is known, and renews its session.
        if (kafkaErrorType(error) === 'REBALANCE_IN_PROGRESS') this.heardMs = sentMs;
        throw this.#lookedInto(error);
      }
    }

    #joinBeside(): void {
      this.joinAndSync().catch((error) => {
        this.#joinFailure = error; // kafkajs meets it at its next heartbeat
      });
    }

    #meetJoinFailure(): void {
      const failure = this.#joinFailure;
      this.#joinFailure = undefined;
      if (failure !== undefined) throw failure;
    }

    /** A member that leaves while it joins would come back as another one. */
    override async leave(): Promise<void> {
      await this.#joining?.catch(() => undefined);
      await super.leave();
    }

    /** Ignores topics that are no longer assigned: a batch may be handled after its partition has moved. */
    override resolveOffset(position: { topic: string; partition: number; offset: string }): void {
      if (Object.hasOwn(this.subscriptionState.assignedPartitionsByTopic, position.topic))
        super.resolveOffset(position);
    }

    override async commitOffsets(offsets: Parameters<Original['commitOffsets']>[0]): Promise<void> {
      try {
        await super.commitOffsets(offsets);
      } catch (error) {
        throw this.#lookedInto(error);
      }
    }

    async subscribe(topics: readonly string[]): Promise<void> {
      await this.cluster.addMultipleTargetTopics(topics);
      for (const topic of topics) this.topicConfigurations[topic] ??= { fromBeginning: true };
      this.topicsSubscribed = [...topics];
      // Otherwise the next fetch would compare the new topics with no known partitions.
      if (this.partitionsPerSubscribedTopic !== null)
        this.partitionsPerSubscribedTopic = this.generatePartitionsPerSubscribedTopic();
    }

    async committedOffset(position: { topic: string; partition: number }) {
      for (let waitedMs = 0; ; waitedMs += UNSTABLE_PAUSE_MS) {
        try {
          return await this.#stableOffset(position);
        } catch (error) {
          if (kafkaErrorType(error) !== 'UNSTABLE_OFFSET_COMMIT') throw this.#lookedInto(error);
          if (waitedMs >= UNSTABLE_GIVE_UP_MS) throw unsettled(position, error);
        }
        await sleep(UNSTABLE_PAUSE_MS);
      }
    }

    async #stableOffset({ topic, partition }: { topic: string; partition: number }) {
      const { groupId, coordinator } = this;
      if (coordinator === null) throw new RetryableError('the group has no coordinator yet');
      const topics = [{ topic, partitions: [{ partition }] }];
      const { responses } = await stably(() => coordinator.offsetFetch({ groupId, topics }));
      return responses[0]!.partitions[0]!;
    }

    override joinAndSync(): Promise<void> {
      this.#joining ??= this.#join().finally(() => {
        this.#joining = undefined;
      });
      return this.#joining;
    }

    async #join(): Promise<void> {
      this.#joined = false;
      for (;;) {
        const sentMs = monotonicMs();
        try {
          await super.joinAndSync();
          this.heardMs = Math.max(this.heardMs, sentMs);
          this.#joined = true;
          return;
        } catch (error) {
          if (this.#observer === undefined || !isCoordinatorMoving(error)) throw error;
          await sleep(ELECTION_PAUSE_MS);
        }
      }
    }

    override async recoverFromFetch(error: FetchError): Promise<void> {
      if (this.#observer !== undefined && error.topic !== undefined && isTopicFault(error)) {
        // The other topics go on, without a rebalance.
        this.#observer.topicMissing(error.topic);
        await sleep(ELECTION_PAUSE_MS);
        await this.cluster.refreshMetadata();
        return;
      }
      // A leader that hangs may have been replaced.
      const moved = isLeaderMoved(error) || error instanceof SilentBrokerError;
      if (this.#observer === undefined || !moved) return super.recoverFromFetch(error);
      await sleep(ELECTION_PAUSE_MS);
      await this.cluster.refreshMetadata();
    }

    /** Looks up the coordinator if an error shows that it moved or is down. @returns the error to throw */
    #lookedInto(error: unknown): unknown {
      if (this.#observer === undefined) return error;
      const moved = isCoordinatorMoving(error);
      if (moved || isConnectionTrouble(error)) this.#findCoordinator();
      return moved ? new CoordinatorMovedError(error) : error;
    }

    /** Runs beside fetches and heartbeats; heartbeats fail until the coordinator is found. */
    #findCoordinator(): void {
      this.#finding ??= this.cluster
        .findGroupCoordinator({ groupId: this.groupId })
        .then((coordinator) => {
          this.coordinator = coordinator;
          if (this.offsetManager !== null) this.offsetManager.coordinator = coordinator;
        })
        .catch(() => undefined) // the next heartbeat that fails looks again
        .finally(() => {
          this.#finding = undefined;
        });
    }

    override async recoverFromOffsetOutOfRange(error: { topic: string; partition: number }): Promise<void> {
      if (this.#observer === undefined) return super.recoverFromOffsetOutOfRange(error);
      this.pause([{ topic: error.topic, partitions: [error.partition] }]);
      this.#observer.offsetOutOfRange(error.topic, error.partition);
    }
  };
}

function unsettled({ topic, partition }: { topic: string; partition: number }, cause: unknown): Error {
  return new RetryableError(
    `${topic}/${partition}: a transaction with an offset of the group is not settled; ` +
      'it ends with its producer, or at its timeout',
    { cause },
  );
}
