import { errorMessage } from '../../../core/model/errors.ts';
import type { OutgoingRecord } from '../../../core/model/records.ts';
import type { Readiness } from '../../telemetry/admin-server.ts';
import type { GroupWatch } from '../../telemetry/group-gauges.ts';
import { GroupGauges } from '../../telemetry/group-gauges.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { monotonicMs } from '../../time/clock.ts';
import { Backoff, sleep } from '../../time/sleep.ts';
import { KafkaAdmin } from '../admin/admin.ts';
import type { KafkaConnection } from '../client/connection.ts';
import { FatalKafkaError, isDefect } from '../errors.ts';
import { type Reads, ServiceTopics, type UsedTopics } from '../topic/service-topics.ts';
import type { AssignedPartition, CorruptBatch } from './assigned-partition.ts';
import { CORRUPT_BATCH, CorruptBatches, type CorruptBatchPolicy, corruptLetter } from './corrupt-batches.ts';
import { GroupReader, type GroupReaderOptions } from './group-reader.ts';
import { gapRecords, type OffsetGap, runSessions, type SessionOptions } from './partition-session.ts';

/** Settings of a service's groups, as its section of the configuration has them. Times in ms, sizes in bytes. */
export interface GroupSettings {
  readonly session_timeout: number;
  readonly rebalance_timeout: number;
  readonly heartbeat_interval: number;
  readonly fetch_max_bytes: number;
  readonly fetch_max_wait: number;
  /** Shared by all groups. */
  readonly queue_bytes: number;
  readonly on_offset_gap: 'continue' | 'stop';
  readonly on_corrupt_batch: CorruptBatchPolicy;
}

export interface ServiceGroupsOptions {
  /** The settings in force. */
  readonly settings: () => GroupSettings;
  /** The topics to begin with. */
  readonly topics: UsedTopics;
  readonly reads?: Reads;
  /** The stage that dead letters of unreadable record batches name. */
  readonly stage: 'decode' | 'deliver';
  readonly watch?: GroupWatch | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly systemMs: () => number;
}

/** A group to join. */
export type GroupOptions = Pick<
  GroupReaderOptions,
  'groupId' | 'topics' | 'eligible' | 'forgotten' | 'consume'
>;

/** One consumer group of a service. */
export interface ServiceGroup {
  readonly reader: GroupReader;
  readonly gauges: GroupGauges;
}

/** Pauses between attempts to join a group that a reload has added. */
const JOIN_MIN_MS = 500;
const JOIN_MAX_MS = 10_000;
/** Most time to finish what is in flight when a group is left: its work may wait for another server. */
const LEAVE_MS = 24 * 3_600_000;

/**
 * What services on consumer groups have in common: joining and leaving, sessions, unreadable record batches, and what
 * the admin server shows of them. The worker has one group, the drain one for each task topic.
 */
export class ServiceGroups {
  readonly admin: KafkaAdmin;
  readonly topics: ServiceTopics;
  readonly #connection: KafkaConnection;
  readonly #options: ServiceGroupsOptions;
  readonly #groups = new Set<ServiceGroup>();
  /** Groups that finish what they have in flight. */
  readonly #leaving = new Set<ServiceGroup>();
  readonly #failure = Promise.withResolvers<never>();
  readonly #stopping = new AbortController();
  #isJoining = false;

  constructor(connection: KafkaConnection, options: ServiceGroupsOptions) {
    this.#connection = connection;
    this.#options = options;
    this.admin = new KafkaAdmin(connection);
    this.topics = new ServiceTopics(this.admin, options.topics, options.log, options.reads);
    this.#failure.promise.catch(() => undefined);
  }

  /** Rejects when the service cannot go on. */
  get failure(): Promise<never> {
    return this.#failure.promise;
  }

  /** Adds a group, and joins it if the others are joined already. */
  open(options: GroupOptions): ServiceGroup {
    const { metrics, log, settings, systemMs } = this.#options;
    const { groupId, eligible, forgotten, consume } = options;
    const { session_timeout, rebalance_timeout, heartbeat_interval } = settings();
    const groupCount = () => Math.max(1, this.#groups.size);
    // Getters for what a reload may change.
    const read: GroupReaderOptions = {
      groupId,
      get topics() {
        return options.topics;
      },
      eligible,
      sessionTimeout: session_timeout,
      rebalanceTimeout: rebalance_timeout,
      heartbeatInterval: heartbeat_interval,
      get fetchMaxBytes() {
        return settings().fetch_max_bytes;
      },
      get fetchMaxWait() {
        return settings().fetch_max_wait;
      },
      get queueBytes() {
        return settings().queue_bytes / groupCount();
      },
      corrupt: new CorruptBatches(this.admin, groupId, () => settings().on_corrupt_batch),
      forgotten,
      consume,
    };
    const reader = new GroupReader(this.#connection, this.admin, read, log);
    const gauges = new GroupGauges(reader, this.admin, metrics, groupId, monotonicMs, systemMs);
    const group = { reader, gauges };
    reader.failure.catch((error) => this.#failure.reject(error));
    this.#groups.add(group);
    if (this.#isJoining) void this.#joinLater(group);
    return group;
  }

  /** Joins all groups. May be called again after a failure. */
  async join(): Promise<void> {
    this.#isJoining = true;
    // Waits for all: readers that have joined go on running when the start is tried again.
    const joined = await Promise.allSettled([...this.#groups].map(({ reader }) => reader.start()));
    for (const each of joined) if (each.status === 'rejected') throw each.reason;
    for (const { gauges } of this.#groups) gauges.start();
    this.topics.watch.start();
    this.#options.watch?.start(() =>
      [...this.#groups].map(({ reader }) => reader.memberId).filter((id) => id !== undefined),
    );
  }

  async #joinLater({ reader, gauges }: ServiceGroup): Promise<void> {
    const backoff = new Backoff(JOIN_MIN_MS, JOIN_MAX_MS);
    while (!this.#stopping.signal.aborted) {
      try {
        await reader.start();
        gauges.start();
        return;
      } catch (error) {
        if (error instanceof FatalKafkaError || isDefect(error)) return this.#failure.reject(error);
        const retryInMs = Math.round(backoff.next());
        const fields = { error: errorMessage(error), retryInMs };
        this.#options.log.warn(fields, 'a group cannot be joined; trying again');
        await sleep(retryInMs, this.#stopping.signal);
      }
    }
  }

  /** Leaves a group, once what it has in flight is finished. */
  leave(group: ServiceGroup): void {
    this.#groups.delete(group);
    this.#leaving.add(group);
    group.gauges.stop();
    void group.reader.stop(monotonicMs() + LEAVE_MS).finally(() => this.#leaving.delete(group));
  }

  /** Works on a partition of a group, session by session, until it is lost or the service stops. */
  work<Resource>(
    partition: AssignedPartition,
    { reader }: ServiceGroup,
    work: Pick<SessionOptions<Resource>, 'open' | 'close' | 'work' | 'onFailure'>,
  ): Promise<void> {
    const { log } = this.#options;
    const onGap = (gap: OffsetGap) => this.gap(gap);
    return runSessions<Resource>(partition, { ...work, reader, log, onGap, troubles: this.topics.troubles });
  }

  /** Counts missing records. @returns what is to follow */
  gap(gap: OffsetGap): 'continue' | 'stop' {
    this.#options.metrics.offsetGaps.inc({ topic: gap.topic, reason: gap.reason }, gapRecords(gap));
    return this.#options.settings().on_offset_gap;
  }

  /** The dead letter of an unreadable record batch. */
  corruptLetter(partition: AssignedPartition, batch: CorruptBatch): OutgoingRecord {
    const { stage, systemMs } = this.#options;
    return corruptLetter(partition, stage, batch, this.topics.dead, systemMs());
  }

  /** The dead letter of an unreadable record batch is written, and the batch passed over. */
  passedOver({ topic, partition }: AssignedPartition, batch: CorruptBatch): void {
    const { metrics, log, stage } = this.#options;
    metrics.deadLetters.inc({ stage, reason: CORRUPT_BATCH, topic });
    metrics.corruptBatches.inc({ topic });
    const { offset, nextOffset, message } = batch;
    log.error(
      { topic, partition, offset: String(offset), nextOffset: String(nextOffset), error: message },
      'a record batch that cannot be read is in the dead-letter topic; the partition goes on behind it',
    );
  }

  /** Finishes and commits what is in flight, leaves the groups. @returns number of partitions cut off at the deadline */
  async finish(deadline: number): Promise<number> {
    this.#stopping.abort();
    this.topics.watch.stop();
    const left = await Promise.all(
      [...this.#groups, ...this.#leaving].map(({ reader, gauges }) => {
        gauges.stop();
        return reader.stop(deadline);
      }),
    );
    this.topics.outputs.close();
    return left.flat().length;
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.admin.close(), this.#options.watch?.stop()]);
  }

  /** Brings gauges up to date before a scrape. */
  collect(): void {
    const { metrics, watch } = this.#options;
    const gauges = [...this.#groups].map((group) => group.gauges);
    GroupGauges.collect(gauges, metrics);
    watch?.collect();
    metrics.showTroubles(this.topics.troubles.current);
  }

  readiness(): Readiness {
    for (const { gauges } of this.#groups) {
      const state = gauges.readiness();
      if (!state.ready) return state;
    }
    return { ready: true };
  }

  partitions(): unknown[] {
    return [...this.#groups].flatMap(({ gauges }) => gauges.partitions());
  }
}
