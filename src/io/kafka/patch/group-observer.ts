import type { UnreadableBatchError } from '../errors.ts';
import type { ConsumerGroupInstance, FetchedBatch, FetchRoom, GroupMembership } from './types.ts';

/** Partitions held by topic, and the generation in which they were. */
export interface Ownership {
  readonly generation: number;
  readonly owned: Readonly<Record<string, readonly number[]>>;
}

/** What a group asks of its reader, and tells it. All of it comes from kafkajs, by way of the patches. */
export interface GroupObserver {
  /** Partitions that this member holds now; read at every join. */
  claims(): Ownership;
  /** True if the member has to rejoin: it holds less than it claimed at its last join. */
  mustRejoin(): boolean;
  /** The member has joined. This runs before the first fetch of the generation. */
  assigned(membership: GroupMembership, assignment: Readonly<Record<string, readonly number[]>>): void;
  /** This process is no longer a member of the group. */
  lost(): void;
  /** Resolves when there is a partition to read, at the latest after `ms`. */
  readable(ms: number): Promise<void>;
  /** Most bytes of the next fetch over all brokers, and its longest wait. */
  fetchBounds(): { readonly bytes: number; readonly waitMs: number };
  /** Most bytes of the next fetch for one partition. */
  partitionBytes(): number;
  /** Memory for the records fetched for a partition; undefined: they are not wanted any more. */
  room(topic: string, partition: number): FetchRoom | undefined;
  /** The first record at the position is too large for now. Nothing is skipped; fetch it again later. */
  heldBack(topic: string, partition: number): void;
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
  metadataChanged(): void;
  /**
   * `topic` is missing or no longer authorized. If it comes back it may be another topic, with offsets of its own.
   */
  topicMissing(topic: string): void;
}

/** What a partition assigner carries into kafkajs' consumer group. */
export interface GroupHooks {
  readonly observer: GroupObserver;
  /** A group member was made: at `run`, and again after each crash and restart. */
  readonly created: (group: ConsumerGroupInstance) => void;
}

/** Key under which an assigner carries them. */
export const HOOKS = Symbol('penstock.groupHooks');
