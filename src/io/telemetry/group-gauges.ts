import { monotonicMs } from '../time/clock.ts';
import type { Readiness } from './admin-server.ts';
import type { Metrics } from './metrics.ts';
import { type Lag, PartitionProgress } from './partition-progress.ts';

/** A partition as the gauges see it. */
export interface ObservedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly state: string;
  readonly queuedBytes: number;
  /** The first record that was fetched and is not done; undefined where there is none. */
  readonly oldest?: { readonly offset: bigint; readonly timestamp: number } | undefined;
  /** What cannot be read at its position; undefined while it goes on. */
  readonly unreadable?: Error | undefined;
  /** What is wrong with a topic, and keeps it waiting; undefined: nothing. */
  readonly trouble?: { readonly topic: string; readonly message: string } | undefined;
  /** Why the last attempt at it failed, while nothing has succeeded since. */
  readonly failure?: string | undefined;
  /** The group that has to let go of it first; undefined once the work has begun. */
  readonly waitsFor?: string | undefined;
}

/** A consumer group member as the gauges see it. */
export interface ObservedReader {
  readonly joined: boolean;
  /** When the group last showed that it knows this member, by `monotonicMs`. */
  readonly heardMs: number;
  /** After so many ms of silence the group may have given the member's partitions to another one. */
  readonly sessionTimeout: number;
  readonly partitions: readonly ObservedPartition[];
}

/** Where the ends and the committed offsets of partitions are asked for. */
export interface OffsetSource {
  committedOffsets(groupId: string, topic: string): Promise<Map<number, bigint>>;
  /** Of the partitions whose leaders answer. */
  knownBounds(
    topic: string,
    partitions: readonly number[],
  ): Promise<{ readonly bounds: ReadonlyMap<number, { readonly low: bigint; readonly high: bigint }> }>;
}

const POLL_MS = 5_000;
/** What Kafka told longer ago than three looks is no news. */
const NEWS_MS = 3 * POLL_MS;
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
  readonly #progress: PartitionProgress;
  readonly #startedMs: number;
  /** Topics whose offsets are being asked for. */
  readonly #asking = new Set<string>();
  /** When the group was last seen not to answer: what stands still meanwhile has not stalled. */
  #silentMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    reader: ObservedReader,
    offsets: OffsetSource,
    metrics: Metrics,
    groupId: string,
    now: () => number = monotonicMs,
    systemMs: () => number = Date.now,
  ) {
    this.#reader = reader;
    this.#offsets = offsets;
    this.#metrics = metrics;
    this.#groupId = groupId;
    this.#now = now;
    this.#progress = new PartitionProgress(NEWS_MS, now, systemMs);
    this.#startedMs = now();
  }

  start(): void {
    this.#timer = setInterval(() => this.#poll(), POLL_MS);
    this.#timer.unref();
    this.#poll();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A commit has succeeded: the next offset to read is `offset`. */
  committed(partition: Place, offset: bigint): void {
    this.#progress.committed(idOf(partition), offset);
  }

  /** The work on a partition begins: how long nothing was committed before says nothing. */
  begun(partition: Place): void {
    this.#progress.forget(idOf(partition));
  }

  /** Sets the gauges of one process again from all its groups. */
  static collect(groups: readonly GroupGauges[], metrics: Metrics): void {
    const { lag, lagSeconds, lagUnknown, queueBytes, assigned, heldUp, waitingForOwner } = metrics;
    const gauges = [lag, lagSeconds, lagUnknown, queueBytes, assigned, heldUp, waitingForOwner];
    metrics.waitingPartitions.reset();
    for (const gauge of [...gauges, metrics.groupSilence]) gauge.reset();
    for (const group of groups) group.#collect();
  }

  #collect(): void {
    const { lag, lagSeconds, lagUnknown, queueBytes, assigned, heldUp, waitingForOwner } = this.#metrics;
    const group = this.#groupId;
    const silentMs = this.#now() - Math.max(this.#startedMs, this.#reader.heardMs);
    this.#metrics.groupSilence.set({ group }, Math.max(0, silentMs) / 1000);
    for (const held of this.#reader.partitions) {
      const { topic, partition, queuedBytes, unreadable, waitsFor, trouble } = held;
      if (trouble !== undefined) this.#metrics.waitingPartitions.inc({ topic, waits_for: trouble.topic });
      if (unreadable !== undefined) heldUp.set({ topic, partition }, 1);
      assigned.inc({ topic });
      queueBytes.inc({ topic }, queuedBytes);
      if (waitsFor !== undefined) {
        waitingForOwner.set({ topic, partition }, 1);
        continue;
      }
      const { records, seconds } = this.#lag(held);
      if (records !== undefined) lag.set({ group, topic, partition }, records);
      if (seconds !== undefined) lagSeconds.set({ group, topic, partition }, seconds);
      lagUnknown.inc({ group, topic }, records === undefined ? 1 : 0);
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
    for (const held of this.#reader.partitions) {
      if (held.waitsFor !== undefined) continue;
      const stalledMs = this.#progress.stalledMs(idOf(held), this.#silentMs);
      if (stalledMs < STALLED_MS) continue;
      const { records = '(nobody knows how many)' } = this.#lag(held);
      const seconds = Math.round(stalledMs / 1000);
      const cause = (held.unreadable ?? held.trouble)?.message ?? held.failure;
      const why = cause === undefined ? '' : `: ${cause}`;
      return {
        ready: false,
        reason: `${idOf(held)} has ${records} records to read and no commit for ${seconds} s${why}`,
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
    return this.#reader.partitions.map((held) => {
      const { topic, partition, state, queuedBytes, unreadable, waitsFor, trouble, failure } = held;
      // Where another group reads, what this one has committed says nothing.
      const { records, seconds } = waitsFor === undefined ? this.#lag(held) : {};
      return {
        topic,
        partition,
        state,
        queuedBytes,
        lag: records ?? null,
        lag_seconds: seconds ?? null,
        ...(unreadable === undefined ? {} : { held_up_by: unreadable.message }),
        ...(trouble === undefined ? {} : { waits_for_topic: trouble.topic, trouble: trouble.message }),
        ...(failure === undefined ? {} : { last_failure: failure }),
        ...(waitsFor === undefined ? {} : { waits_for_group: waitsFor }),
      };
    });
  }

  #lag(held: ObservedPartition): Lag {
    const id = idOf(held);
    if (held.oldest !== undefined) this.#progress.fetched(id, held.oldest);
    return this.#progress.lag(id);
  }

  #poll(): void {
    if (this.#absence() !== undefined) this.#silentMs = this.#now();
    const { partitions } = this.#reader;
    this.#progress.keepOnly(new Set(partitions.map(idOf)));
    for (const topic of new Set(partitions.map((held) => held.topic))) void this.#ask(topic);
  }

  /** A question that is not answered yet is not asked a second time. */
  async #ask(topic: string): Promise<void> {
    if (this.#asking.has(topic)) return;
    this.#asking.add(topic);
    try {
      const held = this.#reader.partitions.filter((each) => each.topic === topic);
      const partitions = held.map(({ partition }) => partition);
      const [{ bounds }, committed] = await Promise.all([
        this.#offsets.knownBounds(topic, partitions),
        this.#offsets.committedOffsets(this.#groupId, topic),
      ]);
      for (const held of this.#reader.partitions) {
        if (held.topic !== topic || held.waitsFor !== undefined) continue;
        const bound = bounds.get(held.partition);
        if (bound === undefined) continue;
        this.#progress.told(idOf(held), committed.get(held.partition) ?? bound.low, bound.high);
      }
    } catch {
      // Kafka is away: soon the lag counts as unknown, and the consumer itself says so.
    } finally {
      this.#asking.delete(topic);
    }
  }
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

function idOf({ topic, partition }: Place): string {
  return `${topic}/${partition}`;
}
