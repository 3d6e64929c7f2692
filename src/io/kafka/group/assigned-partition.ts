import { monotonicMs } from '../../time/clock.ts';
import { copyRecords } from '../copy-records.ts';
import {
  OffsetOutOfRangeError,
  PartitionLostError,
  type UnreadableBatch,
  type UnreadableBatchError,
} from '../errors.ts';
import { DecompressionRatio, type FetchedRecord, PartitionQueue, recordBytes } from '../partition-queue.ts';
import { fetchedBytes } from '../patch/record-set.ts';
import type { FetchedBatch, GroupMembership } from '../patch/types.ts';
import type { TopicMark } from '../topic/topic-mark.ts';
import type { TopicTrouble } from '../topic/topic-trouble.ts';

/** The group that a partition is read in, as far as the partition needs it. */
export interface PartitionGroup {
  pause(partition: AssignedPartition): void;
  resume(partition: AssignedPartition): void;
  seek(partition: AssignedPartition, offset: bigint): void;
  /** Bytes that one partition may have queued. */
  queueShare(): number;
  /** Queue bytes that one fetch is meant to bring for a partition. Brokers send at least one whole batch. */
  fetchShare(): number;
}

export interface TakeLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly lingerMs: number;
}

export interface Taken {
  /** Empty when only control records lay between the last offset and the next one. */
  readonly records: readonly FetchedRecord[];
  /** The offset to commit once they are done; control records after them are skipped. */
  readonly nextOffset: bigint;
  /** An unreadable record batch that is skipped: `nextOffset` is behind it, and `records` is empty. */
  readonly corrupt?: CorruptBatch;
}

/** A record batch that cannot be read, to be set aside. */
export interface CorruptBatch extends UnreadableBatch {
  /** The fault. */
  readonly message: string;
}

/**
 * Upper bound, in bytes, for how far a queue falls before it is refilled; below it, half the queue. Larger swings of
 * memory outside of its heap make V8 collect garbage each time (docs/internals/measurements.md).
 */
const WAVE_BYTES = 8 * 1024 * 1024;

/**
 * Time without a record after which `take` hands out an offset past control records alone, in ms. No record may follow
 * an aborted transaction for a long time, and until the offset is committed it looks like lag.
 */
const PASS_OVER_MS = 1_000;

function resumeAt(queueShare: number): number {
  return Math.max(queueShare / 2, queueShare - WAVE_BYTES);
}

/**
 * A partition assigned to this process, and its life cycle:
 *
 *     opening ──begin()──▶ consuming ──drain()──▶ draining
 *        │  ▲                  │ │
 *        │  └─────reopen()─────┘ │
 *        └───────lose()──────────┴──────────────▶ lost
 *
 * - opening: assigned and paused; nothing is fetched until `begin` sets the offset.
 * - consuming: records flow into the queue and are taken from it.
 * - draining: the process stops, or the partition is given up. Work in flight is finished; `take` returns undefined.
 * - lost: another member may own it. The work must be dropped, and nothing committed.
 *
 * A partition assigned to the same member again in the next generation stays the same object: nobody else can have
 * owned it in between.
 */
export class AssignedPartition {
  readonly topic: string;
  readonly partition: number;
  /** High watermark as of the last fetch: end offset for a read_uncommitted reader. */
  highWatermark = -1n;
  /** When a fetch last answered for this partition, by `monotonicMs`. */
  lastFetchMs = monotonicMs();
  /** The offset that this process has committed last, the next to read then; -1 before the first. */
  committedTo = -1n;
  /** Mark for its commits, set before the work begins; undefined from brokers without topic ids. */
  mark: TopicMark | undefined;
  /** Topic fault that blocks this partition, if any: of its own topic or of one it writes to. */
  trouble: TopicTrouble | undefined;
  /** Error that ended a session since the last progress, if any; rebalances do not count. */
  failure: string | undefined;
  /** Group that still holds the partition and must release it before work begins; undefined: none. */
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
  /** The batch that holds the partition up. */
  #unreadable: UnreadableBatchError | undefined;
  /** Unreadable batch at the position, to be skipped once the queue has been taken. */
  #corrupt: CorruptBatch | undefined;
  /** Bytes given by the last `take`: in work until the next call. */
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

  /** True while neither draining nor lost. */
  get active(): boolean {
    return this.#state === 'opening' || this.#state === 'consuming';
  }

  get paused(): boolean {
    return this.#paused;
  }

  get queuedBytes(): number {
    return this.#queue.memoryBytes;
  }

  /** Queued bytes plus those in work. */
  get heldBytes(): number {
    return this.#queue.memoryBytes + this.#inWork;
  }

  /** First record in work or queued, if any. */
  get oldest(): { readonly offset: bigint; readonly timestamp: number } | undefined {
    return this.#firstInWork ?? this.#queue.first;
  }

  /** Error of the batch that holds the partition up; undefined: none does. */
  get unreadable(): UnreadableBatchError | undefined {
    return this.#unreadable;
  }

  /** Queue bytes per fetched byte, as measured; at least 1. */
  get expansion(): number {
    return this.#expansion.value;
  }

  /** Offset at which the next fetch continues; -1 before `begin`. */
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

  /** The membership under which offsets are committed; new in every generation. */
  get membership(): GroupMembership {
    return this.#membership;
  }

  /** @throws PartitionLostError when this process no longer owns the partition */
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

  /** Stops reading and drops the queue, until `begin` is called again. */
  reopen(): void {
    if (this.#state !== 'consuming') return;
    this.#state = 'opening';
    this.#forget();
    this.#pause();
  }

  /**
   * Waits for records and takes them, in order.
   *
   * After the first record it waits up to `lingerMs` more, for `maxRecords` or `maxBytes`.
   *
   * @returns `undefined` when the partition drains
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

  /** Returns unprocessed records from the end of the last `take` to the front of the queue. */
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

  /** Queues a fetched batch if it continues at the position. @returns false: rejected */
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
    // kafkajs does not advance over batches without records.
    if (batch.rawMessages.length === 0) this.#group.seek(this, next);
    // A partition without records is never paused, however small its share: only taking records resumes it.
    const isFull = this.#queue.memoryBytes + this.#group.fetchShare() > this.#group.queueShare();
    if (isFull && this.#queue.length > 0) this.#pause();
    this.#notify();
    return true;
  }

  /** The position is out of range: once the queue is empty `take` throws OffsetOutOfRangeError. */
  outOfRange(): void {
    if (this.#state !== 'consuming') return;
    this.#outOfRange = true;
    this.#pause();
    this.#notify();
  }

  /** The batch at the position cannot be read: pauses until `passOver` or `fetchLater`. */
  heldUp(error: UnreadableBatchError): void {
    if (this.#state !== 'consuming') return;
    this.#unreadable = error;
    this.#pause();
  }

  /** Has `take` hand out the batch that holds the partition up; reading continues behind it. */
  passOver(error: UnreadableBatchError): void {
    const { batch, message } = error;
    if (this.#state !== 'consuming' || this.#unreadable !== error || batch === undefined) return;
    this.#unreadable = undefined;
    this.#corrupt = { ...batch, message };
    this.#notify();
  }

  /** Fetches the position again after `ms`. The queue is worked on meanwhile. */
  fetchLater(ms: number): void {
    if (this.#state !== 'consuming') return;
    this.#pause();
    setTimeout(() => {
      const isWaiting = this.#state === 'consuming' && !this.#outOfRange && this.#corrupt === undefined;
      if (isWaiting && this.#paused && this.#queue.length === 0) this.#resume();
    }, ms).unref();
  }

  /** The topic is gone: drops the queue, since its offsets mean nothing in a new topic. */
  topicMissing(): void {
    this.#forget();
    this.outOfRange();
  }

  /** Takes the topic's id from metadata. If it differs from the id at the beginning, the topic counts as gone. */
  topicIs(topicId: string | undefined): void {
    if (topicId === undefined || this.mark === undefined || this.mark.topicId === topicId) return;
    this.topicMissing();
  }

  /** The partition stayed through a rebalance. Seeks again, since kafkajs has forgotten its position. */
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
