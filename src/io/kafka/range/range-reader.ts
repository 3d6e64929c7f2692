import { monotonicMs } from '../../time/clock.ts';
import type { KafkaAdmin } from '../admin/admin.ts';
import type { KafkaConnection } from '../client.ts';
import type { FetchedRecord } from '../partition-queue.ts';
import { RangeFetcher } from './range-fetcher.ts';
import { type OffsetGap, type OffsetRange, RangeQueue } from './range-queue.ts';

export type { OffsetGap, OffsetRange } from './range-queue.ts';

export interface RangeReaderOptions {
  readonly topic: string;
  /** Kafka's id of the topic that the ranges are of: another one of the name is not read. Absent: any is. */
  readonly topicId?: string | undefined;
  readonly ranges: ReadonlyMap<number, OffsetRange>;
  /** At a record batch that cannot be read: end with a CorruptBatchError (default), or pass over it and tell it as a gap. */
  readonly onCorruptBatch?: 'stop' | 'skip';
  /** Most bytes fetched and not yet taken, over all partitions; a fetch may overshoot it once. */
  readonly queueBytes?: number;
}

export interface RangeTakeLimits {
  readonly maxRecords: number;
  /** Over all partitions; one record more than fits is taken where nothing else is. */
  readonly maxBytes: number;
  /** Once there is something, how long to wait for more, in ms. */
  readonly lingerMs: number;
}

/** What was read: in each partition what follows on what was taken before. */
export interface RangeStep {
  /** At most one list a partition, none of them empty. */
  readonly chunks: readonly { readonly partition: number; readonly records: readonly FetchedRecord[] }[];
  /** By partition the offset to go on from. Transaction markers and aborted records are passed over. */
  readonly positions: ReadonlyMap<number, bigint>;
  /** What retention has taken before it was read. The positions lie behind it. */
  readonly gaps: readonly OffsetGap[];
  /** Record batches that cannot be read and were passed over. */
  readonly corrupt: readonly OffsetGap[];
}

const QUEUE_BYTES = 64 * 1024 * 1024;

/** Reads ranges of a topic's partitions once, committed records only. Fetches run ahead of what is taken. */
export class RangeReader {
  readonly #queues: readonly RangeQueue[];
  readonly #fetcher: RangeFetcher;
  /** By partition the number of the step that last took something from it. */
  readonly #servedAt = new Map<number, number>();
  #steps = 0;
  #changed: (() => void)[] = [];

  constructor(
    connection: KafkaConnection,
    admin: KafkaAdmin,
    { topic, topicId, ranges, queueBytes = QUEUE_BYTES, onCorruptBatch = 'stop' }: RangeReaderOptions,
  ) {
    const filled = [...ranges].filter(([, { from, to }]) => from < to);
    const queues = new Map(filled.map(([id, range]) => [id, new RangeQueue(id, range)]));
    this.#queues = [...queues.values()];
    this.#fetcher = new RangeFetcher(connection, admin, {
      topic,
      topicId,
      queues,
      onCorruptBatch,
      queueShare: queueBytes / Math.max(1, filled.length),
      onChange: () => {
        for (const wake of this.#changed.splice(0)) wake();
      },
    });
  }

  /** Bytes fetched and not yet taken. */
  get queuedBytes(): number {
    return this.#queues.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * Waits for records and takes them, in order within a partition. The first call begins to read.
   *
   * @returns undefined when all ranges have been taken to their ends, or `signal` was aborted
   * @throws FatalKafkaError where a range does not go on; trouble with Kafka that lasts
   */
  async take(limits: RangeTakeLimits, signal?: AbortSignal): Promise<RangeStep | undefined> {
    this.#fetcher.start();
    const goesOn = () => {
      this.#fetcher.assertWorking();
      return signal?.aborted !== true && this.#queues.some((queue) => !queue.finished);
    };
    while (goesOn() && !this.#queues.some(({ ready }) => ready)) await this.#change(signal);
    const deadline = monotonicMs() + limits.lingerMs;
    while (
      goesOn() &&
      this.queuedBytes < limits.maxBytes &&
      this.#queues.some((queue) => !this.#fetcher.idle(queue))
    ) {
      const left = deadline - monotonicMs();
      if (left <= 0) break;
      await this.#change(signal, left);
    }
    return goesOn() ? this.#collect(limits) : undefined;
  }

  async close(): Promise<void> {
    await this.#fetcher.close();
  }

  #collect({ maxRecords, maxBytes }: RangeTakeLimits): RangeStep {
    const chunks: RangeStep['chunks'][number][] = [];
    const positions = new Map<number, bigint>();
    const gaps: OffsetGap[] = [];
    const corrupt: OffsetGap[] = [];
    let bytesLeft = maxBytes;
    let recordsLeft = maxRecords;
    // Those that have waited longest first, and of them the fullest last: what the others leave goes to it.
    const served = ({ partition }: RangeQueue) => this.#servedAt.get(partition) ?? 0;
    const ready = this.#queues
      .filter((queue) => queue.ready)
      .sort((a, b) => served(a) - served(b) || a.bytes - b.bytes);
    this.#steps += 1;
    for (const [index, queue] of ready.entries()) {
      if (recordsLeft <= 0 || (bytesLeft <= 0 && queue.bytes > 0)) break;
      const before = queue.bytes;
      const left = ready.length - index;
      const { records, next, gap } = queue.take(Math.ceil(recordsLeft / left), bytesLeft / left);
      this.#servedAt.set(queue.partition, this.#steps);
      bytesLeft -= before - queue.bytes;
      recordsLeft -= records.length;
      if (records.length > 0) chunks.push({ partition: queue.partition, records });
      positions.set(queue.partition, next);
      if (gap !== undefined) (gap.corrupt === undefined ? gaps : corrupt).push(gap);
      this.#fetcher.taken(queue);
    }
    return { chunks, positions, gaps, corrupt };
  }

  /** Resolves at the next change, after `ms`, or when `signal` is aborted. */
  async #change(signal: AbortSignal | undefined, ms?: number): Promise<void> {
    const changed = Promise.withResolvers<void>();
    const timer = ms === undefined ? undefined : setTimeout(changed.resolve, ms);
    const onAbort = () => changed.resolve();
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#changed.push(changed.resolve);
    await changed.promise;
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Most that is handed over at once. */
const VISIT_LIMITS: RangeTakeLimits = { maxRecords: 500, maxBytes: 8 * 1024 * 1024, lingerMs: 0 };

/**
 * Reads ranges once and hands over their records, in order within a partition. Records that retention takes in the
 * meantime are passed over.
 *
 * @throws what `visit` throws; FatalKafkaError where a range does not go on
 */
export async function readRanges(
  connection: KafkaConnection,
  admin: KafkaAdmin,
  {
    visit,
    onCorrupt,
    signal,
    ...options
  }: RangeReaderOptions & {
    readonly signal?: AbortSignal | undefined;
    readonly visit: (records: readonly FetchedRecord[]) => Promise<void> | void;
    /** Told of each record batch that cannot be read. Absent: the first is an error. */
    readonly onCorrupt?: ((batch: OffsetGap) => void) | undefined;
  },
): Promise<void> {
  const onCorruptBatch = onCorrupt === undefined ? 'stop' : 'skip';
  const reader = new RangeReader(connection, admin, { ...options, onCorruptBatch });
  try {
    for (;;) {
      const step = await reader.take(VISIT_LIMITS, signal);
      if (step === undefined) return;
      for (const batch of step.corrupt) onCorrupt?.(batch);
      for (const { records } of step.chunks) await visit(records);
    }
  } finally {
    await reader.close();
  }
}
