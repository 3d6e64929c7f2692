import type { Readiness } from './admin-server.ts';
import type { Metrics } from './metrics.ts';

/** A partition as the gauges see it. */
export interface ObservedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly state: string;
  readonly queuedBytes: number;
  /** What cannot be read at its position; undefined while it goes on. */
  readonly unreadable?: Error | undefined;
  /** The group that has to let go of it first; undefined once the work has begun. */
  readonly waitsFor?: string | undefined;
}

/** A consumer group member as the gauges see it. */
export interface ObservedReader {
  readonly joined: boolean;
  /** When the group last showed that it knows this member: ms since the epoch. */
  readonly heardMs: number;
  /** After so many ms of silence the group may have given the member's partitions to another one. */
  readonly sessionTimeout: number;
  readonly partitions: readonly ObservedPartition[];
}

/** Where the ends and the committed offsets of partitions are asked for. */
export interface OffsetSource {
  committedOffsets(groupId: string, topic: string): Promise<Map<number, bigint>>;
  offsetBounds(topic: string): Promise<Map<number, { readonly low: bigint; readonly high: bigint }>>;
}

/** What is known of a partition that is held. Times in ms since the epoch. */
interface Known {
  /** The next offset to read, as committed. */
  readonly offset: bigint;
  /** When it was first seen there. */
  readonly movedMs: number;
  readonly end: bigint | undefined;
  /** Since when records wait; undefined while none do. */
  readonly lagMs: number | undefined;
}

const POLL_MS = 5_000;
/** With lag and no commit for this long, and a group that answers, a partition counts as stalled. */
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
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  /** When the group was last seen not to answer: what stands still meanwhile has not stalled. */
  #silentMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    reader: ObservedReader,
    offsets: OffsetSource,
    metrics: Metrics,
    groupId: string,
    now: () => number = Date.now,
  ) {
    this.#reader = reader;
    this.#offsets = offsets;
    this.#metrics = metrics;
    this.#groupId = groupId;
    this.#now = now;
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
    const id = `${topic}/${partition}`;
    this.#observe(id, offset, this.#known.get(id)?.end);
  }

  /** The work on a partition begins: how long nothing was committed before says nothing. */
  begun({ topic, partition }: { topic: string; partition: number }): void {
    this.#known.delete(`${topic}/${partition}`);
  }

  /** Sets the gauges of one process anew from all its groups. */
  static collect(groups: readonly GroupGauges[], metrics: Metrics): void {
    const { lag, queueBytes, assigned, heldUp, waitingForOwner } = metrics;
    heldUp.reset();
    waitingForOwner.reset();
    lag.reset();
    queueBytes.reset();
    assigned.reset();
    for (const group of groups) group.#collect();
  }

  #collect(): void {
    const { lag, queueBytes, assigned, heldUp, waitingForOwner } = this.#metrics;
    for (const { topic, partition, queuedBytes, unreadable, waitsFor } of this.#reader.partitions) {
      if (unreadable !== undefined) heldUp.set({ topic, partition }, 1);
      if (waitsFor !== undefined) waitingForOwner.set({ topic, partition }, 1);
      assigned.inc({ topic });
      queueBytes.inc({ topic }, queuedBytes);
      const records = waitsFor === undefined ? this.#lag(topic, partition) : undefined;
      if (records !== undefined) lag.set({ topic, partition }, records);
    }
  }

  /**
   * Not ready: no member of the group, or none that it answers, as when Kafka cannot be reached; or a partition that
   * makes no progress while records wait. One that another group still works on is no reason: if the others are to be
   * restarted only when this one is ready, it would wait for ever.
   */
  readiness(): Readiness {
    const absence = this.#absence();
    if (absence !== undefined) return { ready: false, reason: absence };
    for (const { topic, partition, unreadable, waitsFor } of this.#reader.partitions) {
      const known = this.#known.get(`${topic}/${partition}`);
      if (known?.lagMs === undefined || waitsFor !== undefined) continue;
      const stalledMs = this.#now() - Math.max(known.movedMs, known.lagMs, this.#silentMs);
      if (stalledMs < STALLED_MS) continue;
      const lag = this.#lag(topic, partition);
      const seconds = Math.round(stalledMs / 1000);
      return {
        ready: false,
        reason: `${topic}/${partition} has ${lag} records to read and no commit for ${seconds} s${unreadable === undefined ? '' : `: ${unreadable.message}`}`,
      };
    }
    return { ready: true };
  }

  /** Why the partitions may be another member's by now. */
  #absence(): string | undefined {
    const { joined, heardMs, sessionTimeout } = this.#reader;
    if (!joined) return `not a member of the consumer group ${this.#groupId}`;
    const silentMs = this.#now() - heardMs;
    if (silentMs <= sessionTimeout) return undefined;
    return `the consumer group ${this.#groupId} has not answered for ${Math.round(silentMs / 1000)} s`;
  }

  partitions(): unknown[] {
    return this.#reader.partitions.map(({ topic, partition, state, queuedBytes, unreadable, waitsFor }) => ({
      topic,
      partition,
      state,
      queuedBytes,
      // Where another group reads, what this one has committed says nothing.
      lag: (waitsFor === undefined ? this.#lag(topic, partition) : undefined) ?? null,
      ...(unreadable === undefined ? {} : { held_up_by: unreadable.message }),
      ...(waitsFor === undefined ? {} : { waits_for_group: waitsFor }),
    }));
  }

  #lag(topic: string, partition: number): number | undefined {
    const { offset, end } = this.#known.get(`${topic}/${partition}`) ?? {};
    if (offset === undefined || end === undefined) return undefined;
    return end > offset ? Number(end - offset) : 0;
  }

  #observe(id: string, offset: bigint, end: bigint | undefined): void {
    const before = this.#known.get(id);
    const now = this.#now();
    this.#known.set(id, {
      offset,
      movedMs: before?.offset === offset ? before.movedMs : now,
      end,
      lagMs: end !== undefined && end > offset ? (before?.lagMs ?? now) : undefined,
    });
  }

  /** A partition that comes back is a new one: what it did elsewhere is not known here. */
  #forgetOthers(): void {
    const held = new Set(this.#reader.partitions.map(({ topic, partition }) => `${topic}/${partition}`));
    for (const id of this.#known.keys()) if (!held.has(id)) this.#known.delete(id);
  }

  async #poll(): Promise<void> {
    if (this.#absence() !== undefined) this.#silentMs = this.#now();
    this.#forgetOthers();
    const topics = new Set(this.#reader.partitions.map(({ topic }) => topic));
    for (const topic of topics) {
      try {
        const [bounds, committed] = await Promise.all([
          this.#offsets.offsetBounds(topic),
          this.#offsets.committedOffsets(this.#groupId, topic),
        ]);
        const read = this.#reader.partitions.filter((held) => held.topic === topic);
        for (const { partition, waitsFor } of read) {
          if (waitsFor !== undefined) continue;
          const id = `${topic}/${partition}`;
          const bound = bounds.get(partition);
          if (bound === undefined) continue;
          const offset = committed.get(partition) ?? bound.low;
          const before = this.#known.get(id)?.offset;
          const isOld = before !== undefined && offset < before && offset < bound.high; // it has committed meanwhile
          this.#observe(id, isOld ? before : offset, bound.high);
        }
      } catch {
        // Kafka is away: the figures stay as they are, and the consumer itself says so.
      }
    }
  }
}
