import { monotonicMs } from '../../time/clock.ts';
import { sleep } from '../../time/sleep.ts';
import { isLeaderMoved } from '../errors.ts';
import { ofClient } from './boundary.ts';
import { SilentBrokerError } from './connection.ts';
import { ELECTION_PAUSE_MS, type OriginalMember, patchMembership } from './group-membership.ts';
import { type GroupHooks, HOOKS } from './group-observer.ts';
import type { TopicMetadata } from './metadata-v10.ts';
import {
  type AssignedTopic,
  isTopicFault,
  MissingTopics,
  type SeekableOffsets,
  type Seeks,
  seekOnly,
} from './needed-topics.ts';
import { TOPIC_FAULTS } from './partition-errors.ts';
import { faultOf } from './record-set.ts';
import type { FetchedBatch, FetchRoom, PatchedBatch } from './types.ts';

interface Arguments {
  readonly assigners: readonly { readonly [HOOKS]?: GroupHooks }[];
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
interface Original extends OriginalMember {
  maxWaitTime: number;
  /** Limit of one fetch, which goes to one broker. */
  maxBytes: number;
  maxBytesPerPartition: number;
  getNodeIds(): string[];
  readonly cluster: OriginalMember['cluster'] & {
    readonly brokerPool: { readonly metadata: Metadata | null };
    refreshMetadata(): Promise<void>;
    refreshMetadataIfNecessary(): Promise<void>;
  };
  readonly offsetManager: (SeekableOffsets & NonNullable<OriginalMember['offsetManager']>) | null;
  readonly seekOffset: Seeks;
  seekOffsets(topicPartitions: readonly AssignedTopic[]): Promise<void>;
  checkForStaleAssignment(): void;
  readonly subscriptionState: { readonly assignedPartitionsByTopic: Readonly<Record<string, unknown>> };
  resolveOffset(position: { topic: string; partition: number; offset: string }): void;
  recoverFromFetch(error: FetchError): Promise<void>;
  fetch(nodeId: string): Promise<FetchedBatch[]>;
  recoverFromOffsetOutOfRange(error: { topic: string; partition: number }): Promise<void>;
}
type OriginalClass = new (args: Arguments) => Original;

/** Least limit of one broker's fetch, however many brokers there are. */
const LEAST_FETCH_BYTES = 1024 * 1024;
const ANY_SIZE: FetchRoom = { bytes: Number.POSITIVE_INFINITY, firstBytes: Number.POSITIVE_INFINITY };

/** kafkajs' consumer group with an observer (patchMembership, patchGroupFetches); without one almost the original. */
export function patchConsumerGroup(OriginalGroup: OriginalClass): unknown {
  const ObservedGroup = patchGroupFetches(OriginalGroup);
  class PlainGroup extends OriginalGroup {
    override async fetch(nodeId: string): Promise<FetchedBatch[]> {
      const batches = (await super.fetch(nodeId)) as PatchedBatch[];
      return Promise.all(batches.map((batch) => batch.read(ANY_SIZE)));
    }
  }
  return function ConsumerGroup(args: Arguments): Original {
    const hooks = args.assigners.map((assigner) => assigner[HOOKS]).find((each) => each !== undefined);
    if (hooks === undefined) return new PlainGroup(args);
    const group = new ObservedGroup(args, hooks.observer);
    hooks.created(ofClient(group));
    return group;
  };
}

/**
 * kafkajs' consumer group with these changes to its fetches. Those to its membership: patchMembership.
 *
 * - The observer sees fetched batches first and takes only those that continue at its own position. In kafkajs a batch
 *   fetched before a seek or a rebalance can still arrive after it.
 * - An offset out of range is reported. The original silently commits the default offset, even without `autoCommit`.
 * - An unreadable batch is reported, and other partitions go on. The original crashes.
 * - A fetch is bounded over all brokers, and per partition by the room in its queue.
 * - A resumed partition ends the wait of a fetch with every partition paused. The original sleeps it out.
 * - A missing or unauthorized topic does not stop the others, nor a leaderless partition those of its topic: the
 *   original requests the offsets of all assigned partitions before it fetches one.
 * - A leader that moves or hangs does not make the group rebalance.
 */
function patchGroupFetches(OriginalGroup: OriginalClass) {
  const MemberGroup = patchMembership(OriginalGroup);
  return class FetchingMember extends MemberGroup {
    #metadata: Metadata | null = null;
    readonly #missing = new MissingTopics();

    override async fetch(nodeId: string): Promise<FetchedBatch[]> {
      const { observer } = this;
      this.maxWaitTime = observer.fetchBounds().waitMs;
      const started = monotonicMs();
      await observer.readable(this.maxWaitTime);
      if (monotonicMs() - started >= this.maxWaitTime) {
        await this.#lookForTopics();
        return [];
      }
      this.#boundFetch();
      const { offsetManager } = this;
      const batches = await super.fetch(nodeId).catch((error) => {
        if (offsetManager === this.offsetManager) throw error;
        return []; // the group has rebalanced meanwhile
      });
      const { metadata } = this.cluster.brokerPool;
      if (metadata !== this.#metadata) observer.metadataChanged();
      this.#metadata = metadata;
      this.#tellMissing();
      const taken: FetchedBatch[] = [];
      for (const batch of batches as PatchedBatch[]) {
        const read = await this.#read(batch);
        if (read !== undefined && this.#isTaken(read)) taken.push(read);
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
      for (const topic of this.#missing.news(metadata, assigned)) this.observer.topicMissing(topic);
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
      if (offsetManager === null) return super.seekOffsets(topicPartitions);
      await seekOnly(this.seekOffset, offsetManager, topicPartitions);
    }

    /** Reads as much of a batch as there is room for; undefined: none of it is wanted now. */
    async #read(batch: PatchedBatch): Promise<FetchedBatch | undefined> {
      const { topic, partition } = batch;
      const room = this.hasSeekOffset(batch) ? undefined : this.observer.room(topic, partition);
      if (room === undefined) {
        batch.drop();
        return undefined;
      }
      const read = await batch.read(room);
      if (this.hasSeekOffset(batch)) return undefined;
      if (read.isHeldBack) this.observer.heldBack(topic, partition);
      return read.isHeldBack ? undefined : read;
    }

    #isTaken(batch: FetchedBatch): boolean {
      const fault = faultOf(batch.rawMessages);
      if (fault === undefined) return this.observer.fetched(batch);
      this.observer.unreadable(batch.topic, batch.partition, fault);
      return false;
    }

    /** Divides the fetch limit among the brokers, since each gets a fetch of its own. */
    #boundFetch(): void {
      // No broker is known while all of them are away.
      const brokers = Math.max(1, this.getNodeIds().length);
      this.maxBytes = Math.max(LEAST_FETCH_BYTES, Math.ceil(this.observer.fetchBounds().bytes / brokers));
      this.maxBytesPerPartition = this.observer.partitionBytes();
    }

    /** Ignores topics that are no longer assigned: a batch may be handled after its partition has moved. */
    override resolveOffset(position: { topic: string; partition: number; offset: string }): void {
      if (Object.hasOwn(this.subscriptionState.assignedPartitionsByTopic, position.topic))
        super.resolveOffset(position);
    }

    override async recoverFromFetch(error: FetchError): Promise<void> {
      if (error.topic !== undefined && isTopicFault(error)) {
        // The other topics go on, without a rebalance.
        this.observer.topicMissing(error.topic);
        await sleep(ELECTION_PAUSE_MS);
        await this.cluster.refreshMetadata();
        return;
      }
      // A leader that hangs may have been replaced.
      const moved = isLeaderMoved(error) || error instanceof SilentBrokerError;
      if (!moved) return super.recoverFromFetch(error);
      await sleep(ELECTION_PAUSE_MS);
      await this.cluster.refreshMetadata();
    }

    override async recoverFromOffsetOutOfRange(error: { topic: string; partition: number }): Promise<void> {
      this.pause([{ topic: error.topic, partitions: [error.partition] }]);
      this.observer.offsetOutOfRange(error.topic, error.partition);
    }
  };
}
