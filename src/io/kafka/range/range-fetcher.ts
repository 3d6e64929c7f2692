import { randomBytes } from 'node:crypto';
import { monotonicMs } from '../../time/clock.ts';
import { Backoff, sleep } from '../../time/sleep.ts';
import type { KafkaAdmin } from '../admin/admin.ts';
import { BRIEF, type KafkaConnection } from '../client/connection.ts';
import {
  CorruptBatchError,
  FatalKafkaError,
  isConnectionTrouble,
  isCoordinatorMoving,
  isMembershipError,
  type UnreadableBatchError,
} from '../errors.ts';
import { createAssigner } from '../group/assigner.ts';
import { ofPenstock } from '../patch/boundary.ts';
import type { GroupObserver, Ownership } from '../patch/group-observer.ts';
import type { ConsumerGroupInstance, FetchedBatch, FetchRoom } from '../patch/types.ts';
import type { RangeQueue } from './range-queue.ts';

export interface RangeFetcherOptions {
  readonly topic: string;
  /** Required topic id; undefined: any. */
  readonly topicId: string | undefined;
  readonly queues: ReadonlyMap<number, RangeQueue>;
  /** Bytes at which a queue is full. */
  readonly queueShare: number;
  /** Unreadable record batches: `stop` fails, `skip` reports them as gaps with `corrupt`. */
  readonly onCorruptBatch: 'stop' | 'skip';
  /** Called when something was fetched or failed. */
  readonly onChange: () => void;
}

/** Time without progress after which reading fails, in ms: this reader cannot fix the cause. */
const STALLED_MS = 120_000;
const STALL_CHECK_MS = 1_000;
const FETCH_MAX_BYTES = 8 * 1024 * 1024;
const PARTITION_MIN_BYTES = 1024 * 1024;
const FETCH_MAX_WAIT_MS = 100;
/** Pause before a position is fetched again that is within the partition's bounds and yet out of range, in ms. */
const OUT_OF_RANGE_RETRY_MS = 500;
const LEAST_ROOM_BYTES = 64 * 1024;
/** Consumers in a row without progress before reading fails. */
const ATTEMPTS = 8;
const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 5_000;

/**
 * Fills the queues of ranges while a reader empties them. A partition with a full queue is paused, so heartbeats go on
 * however slow the reader.
 *
 * kafkajs cannot read without a group, so each consumer has one of its own, deleted afterwards. At every join it starts
 * where the queues are, so neither a rebalance nor a crash repeats anything.
 */
export class RangeFetcher implements GroupObserver {
  readonly #connection: KafkaConnection;
  readonly #admin: KafkaAdmin;
  readonly #options: RangeFetcherOptions;
  readonly #paused = new Set<number>();
  readonly #closed = new AbortController();
  #group: ConsumerGroupInstance | undefined;
  #running: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  /** Time of the last progress, or of the last moment with nothing to fetch, by `now`. */
  #movedMs: number;
  #attempt = 0;
  #readable: (() => void)[] = [];
  /** Ends the present consumer. */
  #end: () => void = () => undefined;
  readonly #now: () => number;

  /** @param now a clock that never steps back, in ms */
  constructor(
    connection: KafkaConnection,
    admin: KafkaAdmin,
    options: RangeFetcherOptions,
    now: () => number = monotonicMs,
  ) {
    this.#connection = connection;
    this.#admin = admin;
    this.#options = options;
    this.#now = now;
    this.#movedMs = now();
  }

  /** Starts fetching; no effect while it runs. */
  start(): void {
    if (this.#unfetched().length > 0) this.#running ??= this.#run();
  }

  /** @throws the error that ended the fetches, if any */
  assertWorking(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** True if nothing more will arrive for the queue before something is taken from it. */
  idle(queue: RangeQueue): boolean {
    return queue.fetched || queue.held || this.#paused.has(queue.partition);
  }

  /** To be called after a take: resumes the partition if it was paused and its queue has room again. */
  taken(queue: RangeQueue): void {
    if (this.#resumeIfDue(queue)) this.#movedMs = this.#now();
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const backoff = new Backoff(BACKOFF_MIN_MS, BACKOFF_MAX_MS);
    while (!this.#closed.signal.aborted && this.#unfetched().length > 0) {
      this.#attempt += 1;
      try {
        await this.#read();
      } catch (error) {
        if (!isPassing(error) || this.#attempt >= ATTEMPTS) this.#fail(error);
        else await sleep(backoff.next(), this.#closed.signal);
      }
    }
  }

  /** One consumer, until all is fetched, the reader is closed, or it crashes: then it cannot be used again. */
  async #read(): Promise<void> {
    const { topic, queues } = this.#options;
    const groupId = `penstock.read.${randomBytes(8).toString('hex')}`;
    const ended = Promise.withResolvers<void>();
    ended.promise.catch(() => undefined);
    const end = () => ended.resolve();
    this.#end = end;
    const consumer = this.#connection.instance(BRIEF).consumer({
      groupId,
      partitionAssigners: [
        createAssigner({
          eligible: (_, partition) => queues.has(partition),
          observer: this,
          created: (group) => {
            this.#group = group;
          },
        }),
      ],
      maxBytes: FETCH_MAX_BYTES,
      maxBytesPerPartition: this.partitionBytes(),
      maxWaitTimeInMs: FETCH_MAX_WAIT_MS,
      allowAutoTopicCreation: false,
      retry: { ...BRIEF, restartOnFailure: async () => false },
    });
    consumer.on(
      consumer.events.GROUP_JOIN,
      ofPenstock(() => this.assigned()),
    );
    consumer.on(consumer.events.CRASH, ({ payload }) => ended.reject(payload.error));
    this.#closed.signal.addEventListener('abort', end);
    this.#movedMs = this.#now();
    const stallCheck = setInterval(() => this.#checkStall(ended.reject), STALL_CHECK_MS);
    try {
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        partitionsConsumedConcurrently: 1,
        eachBatch: async () => undefined,
      });
      await ended.promise;
    } finally {
      clearInterval(stallCheck);
      this.#closed.signal.removeEventListener('abort', end);
      this.lost();
      await consumer.disconnect().catch(() => undefined);
      const client = await this.#admin.client().catch(() => undefined);
      await client?.deleteGroups([groupId]).catch(() => undefined);
    }
  }

  /** The events of the reader's own group (patch/group-observer.ts). */

  claims(): Ownership {
    return { generation: -1, owned: {} };
  }

  mustRejoin(): boolean {
    return false;
  }

  /** Runs at every join: seeks each partition to its position, and pauses those with nothing to fetch. */
  assigned(): void {
    for (const queue of this.#options.queues.values()) {
      if (this.idle(queue)) this.#group?.pause(this.#only(queue));
      else this.#seek(queue);
    }
  }

  lost(): void {
    this.#group = undefined;
  }

  async readable(ms: number): Promise<void> {
    if (this.#closed.signal.aborted || this.#unfetched().some((queue) => !this.idle(queue))) return;
    const readable = Promise.withResolvers<void>();
    const timer = setTimeout(readable.resolve, ms);
    this.#readable.push(readable.resolve);
    await readable.promise;
    clearTimeout(timer);
  }

  fetchBounds(): { bytes: number; waitMs: number } {
    return { bytes: FETCH_MAX_BYTES, waitMs: FETCH_MAX_WAIT_MS };
  }

  partitionBytes(): number {
    return Math.max(PARTITION_MIN_BYTES, Math.ceil(FETCH_MAX_BYTES / this.#options.queues.size));
  }

  room(_: string, partition: number): FetchRoom | undefined {
    const queue = this.#options.queues.get(partition);
    if (queue === undefined || this.idle(queue)) return undefined;
    const bytes = Math.max(LEAST_ROOM_BYTES, this.#options.queueShare - queue.bytes);
    return { bytes, firstBytes: Number.POSITIVE_INFINITY };
  }

  /** Never: any first record has room. */
  heldBack(): void {}

  fetched(batch: FetchedBatch): boolean {
    const isTaken = this.#offer(batch);
    this.#endIfFetched();
    return isTaken;
  }

  offsetOutOfRange(_: string, partition: number): void {
    const queue = this.#options.queues.get(partition);
    if (queue !== undefined) void this.#outOfRange(queue).catch((error) => this.#fail(error));
  }

  unreadable(_: string, partition: number, { batch, message }: UnreadableBatchError): void {
    const { topic, queues, onCorruptBatch } = this.#options;
    const queue = queues.get(partition);
    if (queue === undefined || this.idle(queue)) return;
    if (onCorruptBatch === 'stop' || batch === undefined) {
      const what = `topic ${topic}, partition ${partition}: ${message}`;
      const advice = batch === undefined ? '' : '; --on-corrupt-batch skip goes on behind it';
      this.#fail(new CorruptBatchError(`${what}${advice}`, { batch, reason: message }));
      return;
    }
    queue.passOver(batch, message);
    this.#pause(queue);
    this.#movedMs = this.#now();
    this.#endIfFetched();
    this.#options.onChange();
  }

  /** Fails if the topic was recreated: its records at these offsets are others. */
  metadataChanged(): void {
    const { topic, topicId } = this.#options;
    const now = this.#group?.topicOf(topic)?.topicId;
    if (topicId === undefined || now === undefined || now === topicId) return;
    this.#fail(madeAgain(topic));
  }

  topicMissing(): void {
    this.#fail(new FatalKafkaError(`topic ${this.#options.topic} was deleted while it was read`));
  }

  #offer(batch: FetchedBatch): boolean {
    const queue = this.#options.queues.get(batch.partition);
    if (queue === undefined || this.idle(queue)) return false;
    const before = queue.position;
    if (!queue.offer(batch)) {
      this.#seek(queue);
      return false;
    }
    if (queue.position === before) return true;
    this.#movedMs = this.#now();
    this.#attempt = 0;
    // kafkajs does not advance over batches without records.
    if (batch.rawMessages.length === 0) this.#seek(queue);
    if (queue.fetched || queue.bytes >= this.#options.queueShare) this.#pause(queue);
    this.#options.onChange();
    return true;
  }

  /** Skips what retention has deleted. @throws FatalKafkaError if the topic was recreated */
  async #outOfRange(queue: RangeQueue): Promise<void> {
    const { topic } = this.#options;
    const { partition, position } = queue;
    const bound = (await this.#admin.offsetBounds(topic, [partition])).get(partition);
    if (bound === undefined || bound.high < position) {
      throw new FatalKafkaError(
        `topic ${topic}, partition ${partition}: offset ${position} was to be read, and ` +
          `${bound === undefined ? 'there is no such partition' : `the end is ${bound.high}`}; was the topic deleted ` +
          'and created again?',
      );
    }
    if (bound.low > position) {
      queue.skipTo(bound.low);
      this.#paused.add(partition);
    } else {
      // One broker has the offset and another has not: one of them is behind. No progress: #checkStall gives up.
      await sleep(OUT_OF_RANGE_RETRY_MS, this.#closed.signal);
      this.#paused.add(partition);
      this.#resumeIfDue(queue);
    }
    this.#endIfFetched();
    this.#options.onChange();
  }

  #pause(queue: RangeQueue): void {
    this.#paused.add(queue.partition);
    this.#group?.pause(this.#only(queue));
  }

  #resumeIfDue(queue: RangeQueue): boolean {
    const isDue = !queue.fetched && !queue.held && queue.bytes <= this.#options.queueShare / 2;
    if (!this.#paused.has(queue.partition) || !isDue) return false;
    this.#paused.delete(queue.partition);
    this.#seek(queue);
    this.#group?.resume(this.#only(queue));
    this.#wake();
    return true;
  }

  #seek({ partition, position }: RangeQueue): void {
    this.#group?.seek({ topic: this.#options.topic, partition, offset: String(position) });
  }

  #only({ partition }: RangeQueue) {
    return [{ topic: this.#options.topic, partitions: [partition] }];
  }

  #endIfFetched(): void {
    if (this.#unfetched().length === 0) this.#end();
  }

  #unfetched(): RangeQueue[] {
    return [...this.#options.queues.values()].filter(({ fetched }) => !fetched);
  }

  #checkStall(reject: (error: unknown) => void): void {
    const waiting = this.#unfetched().filter((queue) => !this.idle(queue));
    if (waiting.length === 0) this.#movedMs = this.#now();
    if (this.#now() - this.#movedMs < STALLED_MS) return;
    const partitions = waiting.map(({ partition }) => partition).join(', ');
    reject(
      new FatalKafkaError(
        `topic ${this.#options.topic} cannot be read to its end: nothing has come of partition ${partitions} for ` +
          `${STALLED_MS / 1000} s. Are all its partitions led by a broker, and is no transaction left open by a writer ` +
          'that died?',
      ),
    );
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#closed.abort();
    this.#wake();
    this.#options.onChange();
  }

  #wake(): void {
    for (const wake of this.#readable.splice(0)) wake();
  }
}

/** Error for a topic that was recreated after its offsets were noted. */
export function madeAgain(topic: string): FatalKafkaError {
  return new FatalKafkaError(
    `topic ${topic} was deleted and made again since the range was fixed: what it has at these offsets are other records. ` +
      'Nothing of it is read; begin a new one for what it has now',
  );
}

/** True for errors that a new consumer may not meet. */
function isPassing(error: unknown): boolean {
  return isConnectionTrouble(error) || isMembershipError(error) || isCoordinatorMoving(error);
}
