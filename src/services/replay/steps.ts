import { isRecordTime } from '../../core/record/record-time.ts';
import type { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import { FatalKafkaError } from '../../io/kafka/errors.ts';
import { recordBytes } from '../../io/kafka/partition-queue.ts';
import { type OffsetGap, RangeReader, type RangeStep } from '../../io/kafka/range/range-reader.ts';
import { monotonicMs } from '../../io/time/clock.ts';
import { sleep } from '../../io/time/sleep.ts';
import type { RateLimit } from './rate-limit.ts';
import type { StoredReplay } from './stored-replay.ts';
import type { ReplayCounts, ReplayTarget } from './target/target.ts';

export type ReplayEnd = 'done' | 'stopped';

/** How a range is read, and when its steps may be written. */
export interface StepOptions {
  readonly pace: RateLimit;
  /** Goes on behind records that retention has deleted in the meantime. */
  readonly allowGaps: boolean;
  /** At a record batch that cannot be read: end with a FatalKafkaError, or go on behind it. */
  readonly onCorruptBatch: 'stop' | 'skip';
  /** Called before a step is written, to fetch the schemas of its records. */
  readonly prepare?: ((step: RangeStep, stop: AbortSignal) => Promise<void>) | undefined;
  /** Aborted: the step in hand is finished, then the replay ends. */
  readonly stop: AbortSignal;
  /** The system's time, for records without a time, and for what is stored. */
  readonly nowMs: () => number;
  readonly events: StepEvents;
  /** Throws when steps cannot be written any more. */
  readonly assertWorking?: () => void;
}

export interface StepEvents {
  /** A step is written. */
  written(counts: ReplayCounts): void;
  gap(gap: OffsetGap): void;
}

/** Longest sleep between checks whether it may go on, in ms. */
const LOOK_AGAIN_MS = 500;

/** Records that were to be replayed are gone. */
export class GapError extends FatalKafkaError {
  constructor(gaps: readonly OffsetGap[]) {
    const list = gaps.map(({ partition, from, to }) => `${partition}:${from}-${to - 1n}`).join(', ');
    super(`retention has taken records before they were replayed (partition:first-last): ${list}`);
  }
}

/**
 * The loop of a replay: read ▸ wait for its turn ▸ write a step; until the ends of the ranges. One step at a time;
 * fetches run ahead.
 */
export async function writeSteps(
  connection: KafkaConnection,
  admin: KafkaAdmin,
  { spec: { topic, topicId }, partitions }: Pick<StoredReplay, 'spec' | 'partitions'>,
  target: ReplayTarget,
  { pace, allowGaps, onCorruptBatch, prepare, stop, nowMs, events, assertWorking }: StepOptions,
): Promise<ReplayEnd> {
  const ranges = new Map([...partitions].map(([id, { position, to }]) => [id, { from: position, to }]));
  const reader = new RangeReader(connection, admin, { topic, topicId, ranges, onCorruptBatch });
  const times = new RecordTimes(nowMs);
  try {
    for (;;) {
      for (
        let wait = pace.waitMs(monotonicMs());
        wait > 0 && !stop.aborted;
        wait = pace.waitMs(monotonicMs())
      ) {
        assertWorking?.();
        await sleep(Math.min(wait, LOOK_AGAIN_MS), stop);
      }
      const read = await reader.take(pace.limits, stop);
      if (stop.aborted) return 'stopped';
      if (read === undefined) return 'done';
      for (const gap of [...read.gaps, ...read.corrupt]) events.gap(gap);
      const step = withTimes(allowGaps ? read : beforeGaps(read), times);
      await prepare?.(step, stop);
      const begunMs = monotonicMs();
      const counts = await target.write(step);
      pace.spent(bytesOf(step), counts.samples, begunMs);
      events.written(counts);
      if (!allowGaps && read.gaps.length > 0) throw new GapError(read.gaps);
    }
  } finally {
    await reader.close().catch(() => undefined);
  }
}

function withTimes(step: RangeStep, times: RecordTimes): RangeStep {
  const chunks = step.chunks.map(({ partition, records }) => ({
    partition,
    records: times.fill(partition, records),
  }));
  return { ...step, chunks };
}

/** The step without the positions of partitions with a gap: they lie behind it. */
function beforeGaps(step: RangeStep): RangeStep {
  if (step.gaps.length === 0) return step;
  const positions = new Map(step.positions);
  for (const { partition } of step.gaps) positions.delete(partition);
  return { ...step, positions };
}

function bytesOf({ chunks }: RangeStep): number {
  let bytes = 0;
  for (const { records } of chunks) for (const record of records) bytes += recordBytes(record);
  return bytes;
}

/**
 * Gives records without a valid time (CreateTime is -1 or impossible) that of a neighbour in the partition: of the
 * record before, else of the first one behind with a time, else the time of reading. A worker took the time of receipt,
 * which is not kept; neighbours were received close to it, and another replay gives the same times.
 */
export class RecordTimes {
  readonly #last = new Map<number, number>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The records of a partition, in order, with a time each; those that have one are the same objects. */
  fill<T extends { readonly timestamp: number }>(partition: number, records: readonly T[]): readonly T[] {
    let last = this.#last.get(partition) ?? records.find(hasTime)?.timestamp ?? this.#nowMs();
    const filled = records.every(hasTime)
      ? records
      : records.map((record) => {
          if (!hasTime(record)) return { ...record, timestamp: last };
          last = record.timestamp;
          return record;
        });
    const newest = records.findLast(hasTime);
    if (newest !== undefined) this.#last.set(partition, newest.timestamp);
    return filled;
  }
}

function hasTime({ timestamp }: { readonly timestamp: number }): boolean {
  return isRecordTime(timestamp);
}
