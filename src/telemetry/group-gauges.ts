import type { Readiness } from './admin-server.ts';
import type { Metrics } from './metrics.ts';

/** A partition as the gauges see it. */
export interface ObservedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly state: string;
  readonly queuedBytes: number;
}

/** A consumer group member as the gauges see it. */
export interface ObservedReader {
  readonly joined: boolean;
  readonly partitions: readonly ObservedPartition[];
}

/** Where the ends and the committed offsets of partitions are asked for. */
export interface OffsetSource {
  committedOffsets(groupId: string, topic: string): Promise<Map<number, bigint>>;
  offsetBounds(topic: string): Promise<Map<number, { readonly low: bigint; readonly high: bigint }>>;
}

interface Progress {
  readonly offset: bigint;
  readonly atMs: number;
}

const POLL_MS = 5_000;
/** With lag and no commit for this long a partition counts as stalled. */
const STALLED_MS = 60_000;

/**
 * Lag, queues and readiness of a group member.
 *
 * The end of a partition is asked for on its own, not taken from fetches, since a paused partition has none.
 */
export class GroupGauges {
  readonly #reader: ObservedReader;
  readonly #offsets: OffsetSource;
  readonly #metrics: Metrics;
  readonly #groupId: string;
  readonly #ends = new Map<string, bigint>();
  readonly #progress = new Map<string, Progress>();
  #timer: NodeJS.Timeout | undefined;

  constructor(reader: ObservedReader, offsets: OffsetSource, metrics: Metrics, groupId: string) {
    this.#reader = reader;
    this.#offsets = offsets;
    this.#metrics = metrics;
    this.#groupId = groupId;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#poll(), POLL_MS);
    this.#timer.unref();
    void this.#poll();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A commit has succeeded: the next offset to read is `offset`. */
  committed({ topic, partition }: { topic: string; partition: number }, offset: bigint): void {
    this.#progress.set(`${topic}/${partition}`, { offset, atMs: Date.now() });
  }

  /** Sets the gauges of one process anew from all its groups. */
  static collect(groups: readonly GroupGauges[], { lag, queueBytes, assigned }: Metrics): void {
    lag.reset();
    queueBytes.reset();
    assigned.reset();
    for (const group of groups) group.#collect();
  }

  #collect(): void {
    const { lag, queueBytes, assigned } = this.#metrics;
    for (const { topic, partition, queuedBytes } of this.#reader.partitions) {
      assigned.inc({ topic });
      queueBytes.inc({ topic }, queuedBytes);
      const records = this.#lag(topic, partition);
      if (records !== undefined) lag.set({ topic, partition }, records);
    }
  }

  /** Not ready: no member of the group, or a partition that makes no progress while records wait. */
  readiness(): Readiness {
    if (!this.#reader.joined)
      return { ready: false, reason: `not a member of the consumer group ${this.#groupId}` };
    const now = Date.now();
    for (const { topic, partition } of this.#reader.partitions) {
      const lag = this.#lag(topic, partition) ?? 0;
      const progress = this.#progress.get(`${topic}/${partition}`);
      if (lag === 0 || progress === undefined || now - progress.atMs < STALLED_MS) continue;
      const seconds = Math.round((now - progress.atMs) / 1000);
      return {
        ready: false,
        reason: `${topic}/${partition} has ${lag} records to read and no commit for ${seconds} s`,
      };
    }
    return { ready: true };
  }

  partitions(): unknown[] {
    return this.#reader.partitions.map(({ topic, partition, state, queuedBytes }) => ({
      topic,
      partition,
      state,
      queuedBytes,
      lag: this.#lag(topic, partition) ?? null,
    }));
  }

  #lag(topic: string, partition: number): number | undefined {
    const end = this.#ends.get(`${topic}/${partition}`);
    const progress = this.#progress.get(`${topic}/${partition}`);
    if (end === undefined || progress === undefined) return undefined;
    return end > progress.offset ? Number(end - progress.offset) : 0;
  }

  async #poll(): Promise<void> {
    const topics = new Set(this.#reader.partitions.map(({ topic }) => topic));
    for (const topic of topics) {
      try {
        const [bounds, committed] = await Promise.all([
          this.#offsets.offsetBounds(topic),
          this.#offsets.committedOffsets(this.#groupId, topic),
        ]);
        for (const { partition } of this.#reader.partitions.filter((held) => held.topic === topic)) {
          const id = `${topic}/${partition}`;
          const bound = bounds.get(partition);
          if (bound === undefined) continue;
          this.#ends.set(id, bound.high);
          const offset = committed.get(partition) ?? bound.low;
          const before = this.#progress.get(id);
          if (before === undefined || before.offset < offset || bound.high <= offset) {
            this.#progress.set(id, { offset, atMs: Date.now() });
          }
        }
      } catch {
        // Kafka is away: the figures stay as they are, and the consumer itself says so.
      }
    }
  }
}
