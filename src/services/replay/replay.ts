import { ConfigError, RetryableError } from '../../core/model/errors.ts';
import type { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import {
  FatalKafkaError,
  isConnectionTrouble,
  isRefused,
  isTakenOver,
  kafkaErrorType,
} from '../../io/kafka/errors.ts';
import { recordBytes } from '../../io/kafka/partition-queue.ts';
import { type OffsetGap, RangeReader, type RangeStep } from '../../io/kafka/range/range-reader.ts';
import { monotonicMs } from '../../io/time/clock.ts';
import { Backoff, sleep } from '../../io/time/sleep.ts';
import type { RateLimit } from './rate-limit.ts';
import { RecordTimes } from './record-times.ts';
import type { ReplayRange } from './stored-replay.ts';
import type { ReplayCounts, ReplayTarget } from './target/target.ts';

/** A target with its positions, until the next error. */
export interface ReplaySession {
  readonly target: ReplayTarget;
  /** Range and position of each partition. */
  readonly partitions: ReadonlyMap<number, ReplayRange>;
  /** Stores a heartbeat, while there is nothing else to store. */
  keep(): Promise<void>;
  /** @param stopped this process ends here, asked to or not, and stores that */
  close(stopped: boolean): Promise<void>;
}

export interface ReplayOptions {
  readonly topic: string;
  /** Kafka's id of the topic; absent: brokers do not tell it. */
  readonly topicId?: string | undefined;
  readonly pace: RateLimit;
  /** Goes on behind records that retention has deleted in the meantime. */
  readonly allowGaps: boolean;
  /** At a record batch that cannot be read: end with a FatalKafkaError, or go on behind it. */
  readonly onCorruptBatch?: 'stop' | 'skip';
  /** Opens the target, and reads what was stored: at the start, and after each error. */
  readonly open: () => Promise<ReplaySession>;
  /** Called before a step is written, to fetch the schemas of its records. */
  readonly prepare?: (step: RangeStep) => Promise<void>;
  /** Aborted: the step in hand is finished, then the replay ends. */
  readonly stop: AbortSignal;
  readonly events: ReplayEvents;
}

/** Receives the events of a replay. */
export interface ReplayEvents {
  /** It starts, or resumes after an error, at these positions. */
  opened(partitions: ReplaySession['partitions']): void;
  /** A step is written and stored. */
  written(positions: ReadonlyMap<number, bigint>, counts: ReplayCounts): void;
  gap(gap: OffsetGap): void;
  /** Something failed that a retry may fix. */
  retrying(error: unknown, pauseMs: number): void;
}

export type ReplayEnd = 'done' | 'stopped';

/** Attempts in a row at errors of Kafka that are not failures of the connection. */
const ATTEMPTS = 6;
const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 10_000;
/** Pause after being fenced, in ms: by then the process that has taken over has stored that. */
const TAKE_OVER_MS = 3_000;
/** Heartbeat interval while idle, in ms. */
const KEEP_MS = 10_000;
/** Longest sleep between checks whether it may go on, in ms. */
const LOOK_AGAIN_MS = 500;

/**
 * The loop of a replay: read ▸ wait for its turn ▸ write a step and store its positions; until the ends of the ranges.
 *
 * One step at a time; fetches run ahead. After any error everything is opened again and resumes from what is stored,
 * since it is unknown what became of the step. While Kafka or the target is down it waits.
 */
export class Replay {
  readonly #connection: KafkaConnection;
  readonly #admin: KafkaAdmin;
  readonly #options: ReplayOptions;
  /** Number of errors since the last step that was written. */
  #failures = 0;
  /** The error that ended the heartbeat, if any. */
  #unkept: { readonly error: unknown } | undefined;
  readonly #backoff = new Backoff(BACKOFF_MIN_MS, BACKOFF_MAX_MS);

  constructor(connection: KafkaConnection, admin: KafkaAdmin, options: ReplayOptions) {
    this.#connection = connection;
    this.#admin = admin;
    this.#options = options;
  }

  /** @throws errors that a retry does not fix, such as FatalKafkaError and ConfigError */
  async run(): Promise<ReplayEnd> {
    const { stop, events } = this.#options;
    for (;;) {
      try {
        return await this.#session();
      } catch (error) {
        if (stop.aborted) return 'stopped';
        this.#failures += 1;
        if (!this.#isPassing(error, this.#failures)) throw error;
        const takenOver = isTakenOver(error);
        const pauseMs = takenOver ? TAKE_OVER_MS : this.#backoff.next();
        if (!takenOver) events.retrying(error, pauseMs);
        await sleep(pauseMs, stop);
        if (stop.aborted) return 'stopped';
      }
    }
  }

  async #session(): Promise<ReplayEnd> {
    const { topic, topicId, open, stop, events, onCorruptBatch = 'stop' } = this.#options;
    const session = await open();
    const ranges = [...session.partitions].map(
      ([id, { position, to }]) => [id, { from: position, to }] as const,
    );
    const reader = new RangeReader(this.#connection, this.#admin, {
      topic,
      topicId,
      ranges: new Map(ranges),
      onCorruptBatch,
    });
    const kept = new AbortController();
    const keeping = this.#keep(session, kept.signal);
    let ends = false;
    try {
      events.opened(session.partitions);
      return await this.#steps(session, reader);
    } catch (error) {
      ends = !this.#isPassing(error, this.#failures + 1);
      throw error;
    } finally {
      kept.abort();
      await keeping;
      await Promise.allSettled([reader.close(), session.target.close()]);
      await session.close(ends || stop.aborted).catch(() => undefined);
    }
  }

  async #steps(session: ReplaySession, reader: RangeReader): Promise<ReplayEnd> {
    const { pace, stop, prepare, events, allowGaps } = this.#options;
    const times = new RecordTimes(Date.now);
    for (;;) {
      await this.#turn();
      const read = await reader.take(pace.limits, stop);
      if (stop.aborted) return 'stopped';
      if (read === undefined) return 'done';
      for (const gap of [...read.gaps, ...read.corrupt]) events.gap(gap);
      const step = withTimes(allowGaps ? read : beforeGaps(read), times);
      await prepare?.(step);
      const begunMs = monotonicMs();
      const counts = await session.target.write(step);
      pace.spent(bytesOf(step), counts.samples, begunMs);
      this.#failures = 0;
      this.#backoff.reset();
      events.written(step.positions, counts);
      if (!allowGaps && read.gaps.length > 0) throw new GapError(read.gaps);
    }
  }

  /** Waits until the next step may begin, or the replay is to stop. */
  async #turn(): Promise<void> {
    const { pace, stop } = this.#options;
    while (!stop.aborted) {
      const wait = pace.waitMs(monotonicMs());
      if (wait <= 0) return;
      if (this.#unkept !== undefined) throw this.#unkept.error;
      await sleep(Math.min(wait, LOOK_AGAIN_MS), stop);
    }
  }

  /**
   * Heartbeats beside the steps, whatever those wait for: their turn, records, schemas, a target that does not answer.
   * An error here shows in the next write, or in the wait for the next turn.
   */
  async #keep(session: ReplaySession, ended: AbortSignal): Promise<void> {
    this.#unkept = undefined;
    for (;;) {
      await sleep(KEEP_MS, ended);
      if (ended.aborted) return;
      try {
        await session.keep();
      } catch (error) {
        this.#unkept = { error };
        return;
      }
    }
  }

  /** Whether a retry may fix an error. @param failures number of errors in a row, this one included */
  #isPassing(error: unknown, failures: number): boolean {
    if (error instanceof FatalKafkaError || error instanceof ConfigError || isRefused(error)) return false;
    if (isConnectionTrouble(error) || error instanceof RetryableError) return true;
    return isKafkas(error) && failures < ATTEMPTS;
  }
}

/** Records that were to be replayed are gone. */
export class GapError extends FatalKafkaError {
  readonly gaps: readonly OffsetGap[];

  constructor(gaps: readonly OffsetGap[]) {
    const list = gaps.map(({ partition, from, to }) => `${partition}:${from}-${to - 1n}`).join(', ');
    super(`retention has taken records before they were replayed (partition:first-last): ${list}`);
    this.gaps = gaps;
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

function isKafkas(error: unknown): boolean {
  return kafkaErrorType(error) !== '' || (error instanceof Error && error.name.startsWith('KafkaJS'));
}
