import { monotonicMs } from '../../time/clock.ts';
import { copyRecords } from '../copy-records.ts';
import {
  OffsetOutOfRangeError,
  PartitionLostError,
  type UnreadableBatch,
  type UnreadableBatchError,
} from '../errors.ts';
import { type FetchedRecord, PartitionQueue, recordBytes } from '../partition-queue.ts';
import { fetchedBytes } from '../patch/record-set.ts';
import type { FetchedBatch, GroupMembership } from '../patch/types.ts';
import type { TopicMark } from '../topic/topic-mark.ts';
import type { TopicTrouble } from '../topic/topic-trouble.ts';
import { DecompressionRatio } from './decompression-ratio.ts';

/** What a partition needs of the group that it is read in. */
export interface PartitionGroup {
  pause(partition: AssignedPartition): void;
  resume(partition: AssignedPartition): void;
  seek(partition: AssignedPartition, offset: bigint): void;
  /** Bytes that one partition may have queued. */
  queueShare(): number;
  /** Bytes of a queue that one fetch may bring for it; a record batch that is larger comes whole all the same. */
  fetchShare(): number;
}

export interface TakeLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly lingerMs: number;
}

export interface Taken {
  /** None where only control records lay between the last offset and the next one. */
  readonly records: readonly FetchedRecord[];
  /** The offset to commit once they are done: control records behind them are passed over. */
  readonly nextOffset: bigint;
  /** A record batch that cannot be read and is to be passed over: `nextOffset` is behind it, and there are no records. */
  readonly corrupt?: CorruptBatch;
}

/** A record batch that cannot be read, to be set aside. */
export interface CorruptBatch extends UnreadableBatch {
  /** What is wrong with it. */
  readonly message: string;
}

/**
 * A queue is filled again when it has fallen by half, but by no more than this: memory that comes and goes in larger
 * waves makes V8 collect garbage each time, since it goes by the bytes outside of its heap (docs/internals/measurements.md).
 */
const WAVE_BYTES = 8 * 1024 * 1024;

/**
 * What only passes over control records is handed out after this long without a record. Behind an aborted transaction
 * none may come for a long time, and until it is committed it looks like lag.
 */
const PASS_OVER_MS = 1_000;

function resumeAt(queueShare: number): number {
  return Math.max(queueShare / 2, queueShare - WAVE_BYTES);
}

/**
 * A partition while this process is assigned it, and the state of its life:
 *
 *     opening ──begin()──▶ consuming ──drain()──▶ draining
 *        │  ▲                  │ │
 *        │  └─────reopen()─────┘ │
 *        └───────lose()──────────┴──────────────▶ lost
 *
 * - opening: assigned and paused; nothing is fetched until the owner says from where.
 * - consuming: records flow into the queue and are taken from it.
 * - draining: the process stops. What is in flight is finished; `take` answers that there is nothing more.
 * - lost: another member may own it. Whoever works on it must drop the work and commit nothing.
 *
 * A partition that is assigned again in the next generation, to the same member, stays the same object: nobody
 * else can have owned it in between.
 */
export class AssignedPartition {
  readonly topic: string;
  readonly partition: number;
  /** Highest offset + 1 that a read_uncommitted reader could see, as of the last fetch. */
  highWatermark = -1n;
  /** When a fetch last answered for this partition, by `monotonicMs`. */
  lastFetchMs = monotonicMs();
  /** The offset that this process has committed last, the next to read then; -1 before the first. */
  committedTo = -1n;
  /** Which topic what is committed for it is of, from the beginning of the work on; undefined where brokers do not say. */
  mark: TopicMark | undefined;
  /** What is wrong with its own topic, or with one that its records go to, and keeps it waiting; undefined: nothing. */
  trouble: TopicTrouble | undefined;
  /** Why the last session ended, and nothing has succeeded since; undefined: something has, or it was a rebalance. */
  failure: string | undefined;
  /** The group that has to let go of the partition before the work on it begins; undefined while there is none. */
  waitsFor: string | undefined;
  readonly #group: PartitionGroup;
  readonly #queue = new PartitionQueue();
  readonly #expansion = new DecompressionRatio();
  readonly #lost = new AbortController();
  readonly #ending = new AbortController();
  #state: 'opening' | 'consuming' | 'draining' | 'lost' = 'opening';
  #membership: GroupMembership;
  /** Offset that the next fetched batch must start at. */
  #position = -1n;
  /** `nextOffset` as `take` gave it last. */
  #takenTo = -1n;
  #paused = true;
  #outOfRange = false;
  /** What holds the partition up. */
  #unreadable: UnreadableBatchError | undefined;
  /** A batch at the position that is to be passed over, once what is before it has been taken. */
  #corrupt: CorruptBatch | undefined;
  /** Bytes of what `take` has given last: they are worked on until it is called again. */
  #inWork = 0;
  #firstInWork: FetchedRecord | undefined;
  #wake: (() => void) | undefined;

  constructor(topic: string, partition: number, membership: GroupMembership, group: PartitionGroup) {
    this.topic = topic;
    this.partition = partition;
    this.#membership = membership;
    this.#group = group;
  }

  get state(): 'opening' | 'consuming' | 'draining' | 'lost' {
    return this.#state;
  }

  /** Whether there is work to do: neither stopping nor lost. */
  get active(): boolean {
    return this.#state === 'opening' || this.#state === 'consuming';
  }

  get paused(): boolean {
    return this.#paused;
  }

  get queuedBytes(): number {
    return this.#queue.memoryBytes;
  }

  /** The same with what is worked on. */
  get heldBytes(): number {
    return this.#queue.memoryBytes + this.#inWork;
  }

  /** The first record that is worked on or queued; undefined where there is none. */
  get oldest(): { readonly offset: bigint; readonly timestamp: number } | undefined {
    return this.#firstInWork ?? this.#queue.first;
  }

  /** The record batch that holds the partition up; undefined while it goes on. */
  get unreadable(): UnreadableBatchError | undefined {
    return this.#unreadable;
  }

  /** Bytes that its queue takes for a byte that is fetched, as fetches have shown; from 1. */
  get expansion(): number {
    return this.#expansion.value;
  }

  /** Offset of the next record that nobody has taken yet; -1 before `begin`. */
  get position(): bigint {
    return this.#position;
  }

  /** Aborted when the partition is lost. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Aborted when the partition drains or is lost: there is nothing left to wait for. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** The membership on whose behalf offsets are committed. Changes with every generation. */
  get membership(): GroupMembership {
    return this.#membership;
  }

  /** @throws PartitionLostError when the partition is no longer this process's. */
  assertOwned(): void {
    if (this.#state === 'lost') throw new PartitionLostError(`${this.topic}/${this.partition} was lost`);
  }

  /** Starts reading at `offset`. */
  begin(offset: bigint): void {
    this.assertOwned();
    if (this.#state === 'draining') return;
    this.#state = 'consuming';
    this.#forget();
    this.#outOfRange = false;
    this.#position = offset;
    this.#takenTo = offset;
    this.#group.seek(this, offset);
    this.#resume();
  }

  /** Stops reading and forgets what is queued, until `begin` is called again. */
  reopen(): void {
    if (this.#state !== 'consuming') return;
    this.#state = 'opening';
    this.#forget();
    this.#pause();
  }

  /**
   * Waits for records and takes them, in order.
   *
   * Once the first record is there it waits `lingerMs` more, or until `maxBytes` are queued.
   *
   * @returns `undefined` when the process stops
   * @throws PartitionLostError, OffsetOutOfRangeError
   */
  async take(limits: TakeLimits): Promise<Taken | undefined> {
    this.#inWork = 0;
    this.#firstInWork = undefined;
    while (this.#ready() && this.#queue.length === 0) {
      if (this.#corrupt !== undefined) return this.#handOutCorrupt(this.#corrupt);
      const passedOver = this.#position > this.#takenTo;
      const isIdle = await this.#changed(passedOver ? PASS_OVER_MS : undefined);
      if (isIdle && this.#ready() && this.#queue.length === 0) return this.#handOut([]);
    }
    const deadline = monotonicMs() + limits.lingerMs;
    while (
      this.#ready() &&
      !this.#paused &&
      this.#queue.bytes < limits.maxBytes &&
      this.#queue.length < limits.maxRecords
    ) {
      const left = deadline - monotonicMs();
      if (left <= 0) break;
      await this.#changed(left);
    }
    if (!this.#ready()) return undefined;
    const before = this.#queue.memoryBytes;
    const records = this.#queue.take(limits.maxRecords, limits.maxBytes);
    this.#inWork = before - this.#queue.memoryBytes;
    this.#firstInWork = records[0];
    const mayResume = this.#paused && !this.#outOfRange && this.#corrupt === undefined;
    if (mayResume && this.#queue.memoryBytes <= resumeAt(this.#group.queueShare())) this.#resume();
    return this.#handOut(records);
  }

  /** Takes back the last of the records that `take` has just given, which nobody has worked on: they come again next. */
  putBack(records: readonly FetchedRecord[]): void {
    if (this.#state !== 'consuming' || records.length === 0) return;
    const before = this.#queue.memoryBytes;
    this.#queue.putBack(records);
    this.#inWork -= this.#queue.memoryBytes - before;
    this.#takenTo = records[0]!.offset;
  }

  #handOut(records: readonly FetchedRecord[]): Taken {
    this.#takenTo = this.#queue.first?.offset ?? this.#position;
    return { records, nextOffset: this.#takenTo };
  }

  #handOutCorrupt(corrupt: CorruptBatch): Taken {
    this.#corrupt = undefined;
    this.#position = corrupt.nextOffset;
    this.#group.seek(this, this.#position);
    this.#resume();
    return { ...this.#handOut([]), corrupt };
  }

  /** Takes over what a fetch brought, if it continues this partition. */
  offer(batch: FetchedBatch): boolean {
    if (this.#state !== 'consuming' || this.#outOfRange || this.#corrupt !== undefined) return false;
    this.lastFetchMs = monotonicMs();
    this.highWatermark = BigInt(batch.highWatermark);
    if (BigInt(batch.fetchedOffset) !== this.#position) {
      this.#group.seek(this, this.#position);
      return false;
    }
    let bytes = 0;
    for (const record of copyRecords(batch)) {
      this.#queue.push(record);
      bytes += recordBytes(record);
    }
    this.#expansion.fetched(fetchedBytes(batch.rawMessages), bytes);
    const next = BigInt(batch.lastOffset()) + 1n;
    if (next <= this.#position) return true;
    this.#position = next;
    this.#unreadable = undefined;
    // Of batches without records kafkajs knows nothing.
    if (batch.rawMessages.length === 0) this.#group.seek(this, next);
    // Only taking records resumes a partition, so one that has none is not paused, however small its share is.
    const isFull = this.#queue.memoryBytes + this.#group.fetchShare() > this.#group.queueShare();
    if (isFull && this.#queue.length > 0) this.#pause();
    this.#notify();
    return true;
  }

  /** The broker has nothing at the position: once the queue is empty `take` reports it, and the owner decides. */
  outOfRange(): void {
    if (this.#state !== 'consuming') return;
    this.#outOfRange = true;
    this.#pause();
    this.#notify();
  }

  /** What is at the position cannot be read. The partition waits until it is told what to do. */
  heldUp(error: UnreadableBatchError): void {
    if (this.#state !== 'consuming') return;
    this.#unreadable = error;
    this.#pause();
  }

  /** The batch that holds the partition up is handed out by `take`, and the partition goes on behind it. */
  passOver(error: UnreadableBatchError): void {
    const { batch, message } = error;
    if (this.#state !== 'consuming' || this.#unreadable !== error || batch === undefined) return;
    this.#unreadable = undefined;
    this.#corrupt = { ...batch, message };
    this.#notify();
  }

  /** What is at the position is fetched again after `ms`. What is queued is worked on meanwhile. */
  fetchLater(ms: number): void {
    if (this.#state !== 'consuming') return;
    this.#pause();
    setTimeout(() => {
      const isWaiting = this.#state === 'consuming' && !this.#outOfRange && this.#corrupt === undefined;
      if (isWaiting && this.#paused && this.#queue.length === 0) this.#resume();
    }, ms).unref();
  }

  /** The topic is gone. What is queued is not worth working on: its offsets mean nothing in a new topic. */
  topicMissing(): void {
    this.#forget();
    this.outOfRange();
  }

  /** Metadata say that its topic has this id. With another one than it began with it is read as one that is gone. */
  topicIs(topicId: string | undefined): void {
    if (topicId === undefined || this.mark === undefined || this.mark.topicId === topicId) return;
    this.topicMissing();
  }

  /** The group has rebalanced and the partition has stayed. kafkajs has forgotten its position. */
  stayed(membership: GroupMembership): void {
    this.#membership = membership;
    if (this.#state === 'consuming') this.#group.seek(this, this.#position);
  }

  drain(): void {
    if (!this.active) return;
    this.#state = 'draining';
    this.#forget();
    this.#pause();
    this.#ending.abort();
    this.#notify();
  }

  lose(): void {
    if (this.#state === 'lost') return;
    this.#state = 'lost';
    this.#forget();
    this.#lost.abort();
    this.#ending.abort();
    this.#notify();
  }

  #ready(): boolean {
    this.assertOwned();
    if (this.#outOfRange && this.#queue.length === 0) {
      throw new OffsetOutOfRangeError(
        `${this.topic}/${this.partition} has no record at offset ${this.#position}`,
      );
    }
    return this.#state !== 'draining';
  }

  #forget(): void {
    this.#queue.clear();
    this.#unreadable = undefined;
    this.#corrupt = undefined;
    this.#inWork = 0;
    this.#firstInWork = undefined;
  }

  #pause(): void {
    this.#paused = true;
    this.#group.pause(this);
  }

  #resume(): void {
    this.#paused = false;
    this.#group.resume(this);
  }

  #notify(): void {
    this.#wake?.();
  }

  /**
   * Resolves to false at the next change, to true after `ms`. Only one waiter at a time: the partition's own loop.
   */
  #changed(ms?: number): Promise<boolean> {
    return new Promise((resolve) => {
      const wake = (isIdle: boolean) => {
        this.#wake = undefined;
        clearTimeout(timer);
        resolve(isIdle);
      };
      const timer = ms === undefined ? undefined : setTimeout(() => wake(true), ms);
      this.#wake = () => wake(false);
    });
  }
}
