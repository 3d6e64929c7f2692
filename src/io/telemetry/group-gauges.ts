import { epochMs, monotonicMs } from '../time/clock.ts';
import type { Readiness } from './admin-server.ts';
import type { Metrics } from './metrics.ts';
import { type Lag, PartitionProgress } from './partition-progress.ts';

/** A partition as the gauges see it. */
export interface ObservedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly state: string;
  readonly queuedBytes: number;
  /** First record fetched and not done, if any. */
  readonly oldest?: { readonly offset: bigint; readonly timestamp: number } | undefined;
  /** Error of an unreadable batch at its position, if any. */
  readonly unreadable?: Error | undefined;
  /** Topic fault that blocks it, if any. */
  readonly trouble?: { readonly topic: string; readonly message: string } | undefined;
  /** Last error since the last progress, if any. */
  readonly failure?: string | undefined;
  /** Group that must release it first; undefined once work has begun. */
  readonly waitsFor?: string | undefined;
}

/** A consumer group member as the gauges see it. */
export interface ObservedReader {
  readonly joined: boolean;
  /** When the coordinator last acknowledged this member, by `monotonicMs`. */
  readonly heardMs: number;
  /** Ms of silence after which the member's partitions may belong to another. */
  readonly sessionTimeout: number;
  readonly partitions: readonly ObservedPartition[];
}

/** Source of end offsets and committed offsets. */
export interface OffsetSource {
  committedOffsets(groupId: string, topic: string): Promise<Map<number, bigint>>;
  /** Bounds of those partitions whose leaders answer. */
  knownBounds(
    topic: string,
    partitions: readonly number[],
  ): Promise<{ readonly bounds: ReadonlyMap<number, { readonly low: bigint; readonly high: bigint }> }>;
}

const POLL_MS = 5_000;
/** Answers older than three polls are stale. */
const NEWS_MS = 3 * POLL_MS;
/** A partition with lag, a responsive group and no commit for this long counts as stalled. */
const STALLED_MS = 60_000;

/**
 * Lag, queues and readiness of a group member.
 *
 * End offsets are polled rather than taken from fetches, since paused partitions have none.
 */
export class GroupGauges {
  readonly #reader: ObservedReader;
  readonly #offsets: OffsetSource;
  readonly #metrics: Metrics;
  readonly #groupId: string;
  readonly #now: () => number;
  readonly #progress: PartitionProgress;
  readonly #startedMs: number;
  /** Topics with a poll under way. */
  readonly #asking = new Set<string>();
  /** When the group was last seen silent: standing still until then is not a stall. */
  #silentMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    reader: ObservedReader,
    offsets: OffsetSource,
    metrics: Metrics,
    groupId: string,
    now: () => number = monotonicMs,
    systemMs: () => number = epochMs,
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

  /** Work on a partition begins: forgets how long nothing was committed before. */
  begun(partition: Place): void {
    this.#progress.forget(idOf(partition));
  }

  /** Refreshes the gauges of a process from all its groups. */
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
   * Not ready if not a member of the group, if the group does not answer (as when Kafka is unreachable), or if a
   * partition makes no progress while records wait. Partitions that another group still holds do not count: a rolling
   * restart that waits for this process to be ready would wait for ever.
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

  /** Reason why the partitions may belong to another member by now, if any. */
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
      // While another group reads it, this group's commits mean nothing.
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

  /** Polls a topic's offsets, unless a poll is under way. */
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
      // Kafka is unreachable: the lag soon counts as unknown, and the consumer logs it.
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

/** Watches groups of the deployment that may have no member left to report their lag. */
export interface GroupWatch {
  /** @param memberIds present member ids of this process, in all its groups */
  start(memberIds: () => readonly string[]): void;
  stop(): Promise<void>;
  /** Adds to the gauges, before a scrape. */
  collect(): void;
}
