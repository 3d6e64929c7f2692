import { monotonicMs } from '../../time/clock.ts';
import type { KafkaAdmin } from '../admin/admin.ts';
import type { KafkaConnection } from '../client/connection.ts';
import type { FetchedRecord } from '../partition-queue.ts';
import { RangeFetcher } from './range-fetcher.ts';
import { type OffsetGap, type OffsetRange, RangeQueue } from './range-queue.ts';

export type { OffsetGap, OffsetRange } from './range-queue.ts';

export interface RangeReaderOptions {
  readonly topic: string;
  /** Id of the topic the ranges belong to: a recreated topic is not read. Absent: not checked. */
  readonly topicId?: string | undefined;
  readonly ranges: ReadonlyMap<number, OffsetRange>;
  /** Unreadable record batches: fail with CorruptBatchError (default), or skip and report in `RangeStep.corrupt`. */
  readonly onCorruptBatch?: 'stop' | 'skip';
  /** Most bytes fetched and not yet taken, over all partitions; a fetch may overshoot it once. */
  readonly queueBytes?: number;
}

export interface RangeTakeLimits {
  readonly maxRecords: number;
  /** Over all partitions. Exceeded where necessary to take one record of a partition. */
  readonly maxBytes: number;
  /** Wait for more after the first records, in ms. */
  readonly lingerMs: number;
}

/** Records taken in one call; in each partition they continue the previous step. */
export interface RangeStep {
  /** At most one per partition, never empty. */
  readonly chunks: readonly { readonly partition: number; readonly records: readonly FetchedRecord[] }[];
  /** Offset to continue from, by partition; past transaction markers and aborted records. */
  readonly positions: ReadonlyMap<number, bigint>;
  /** Offsets that retention deleted before they were read. The positions are past them. */
  readonly gaps: readonly OffsetGap[];
  /** Unreadable record batches that were skipped. */
  readonly corrupt: readonly OffsetGap[];
}

const QUEUE_BYTES = 64 * 1024 * 1024;

/** Reads ranges of a topic's partitions once, committed records only. Fetches ahead. */
export class RangeReader {
  readonly #queues: readonly RangeQueue[];
  readonly #fetcher: RangeFetcher;
  /** Number of the last step that took from a partition. */
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
   * Waits for records and takes them, in order within a partition. The first call starts reading.
   *
   * @returns undefined when all ranges have been taken, or `signal` was aborted
   * @throws FatalKafkaError when a range makes no progress; errors of Kafka that last
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
    // Longest waiting first; among equals the fullest last, so that it gets what the others leave.
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

/** Limits of one call of `visit`. */
const VISIT_LIMITS: RangeTakeLimits = { maxRecords: 500, maxBytes: 8 * 1024 * 1024, lingerMs: 0 };

/**
 * Reads ranges once and passes their records to `visit`, in order within a partition. Records that retention deletes
 * meanwhile are skipped.
 *
 * @throws what `visit` throws; FatalKafkaError when a range makes no progress
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
    /** Called for each unreadable record batch. Absent: the first is an error. */
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
