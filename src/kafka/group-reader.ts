import type { Consumer } from 'kafkajs';
import type { Logger } from 'pino';
import { errorMessage } from '../model/errors.ts';
import { Backoff, sleep } from '../model/sleep.ts';
import { type KafkaAdmin, type StartOffset, startOffset } from './admin.ts';
import { AssignedPartition, type PartitionGroup } from './assigned-partition.ts';
import { createAssigner } from './assigner.ts';
import { type KafkaConnection, PATIENT } from './client.ts';
import {
  isConnectionTrouble,
  isLoginRefused,
  isMembershipError,
  KafkaSetupError,
  kafkaErrorType,
  PartitionLostError,
} from './errors.ts';
import { OffsetCommitter } from './offset-committer.ts';
import type { GroupObserver } from './patch/consumer-group.ts';
import type { ConsumerGroupInstance, FetchedBatch, GroupMembership } from './patch/types.ts';

/** Settings of a consumer group. Times in ms, sizes in bytes. */
export interface GroupReaderOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  /** Which partitions this group reads at all; every member must answer alike. */
  readonly eligible: (topic: string, partition: number) => boolean;
  readonly sessionTimeout: number;
  readonly rebalanceTimeout: number;
  readonly heartbeatInterval: number;
  readonly fetchMaxBytes: number;
  readonly fetchMaxWait: number;
  /** Most bytes fetched and not yet taken, over all partitions; a fetch may overshoot it once. */
  readonly queueBytes: number;
  /** The work on one partition. Runs until the partition is lost or drained; then it must return. */
  readonly consume: (partition: AssignedPartition) => Promise<void>;
}

/** A partition's fetch may bring this share of a whole fetch. */
const PARTITION_SHARE_OF_FETCH = 4;
const OWNERSHIP_RETRY_MS = 200;
const RESTART_MIN_MS = 1_000;
const RESTART_MAX_MS = 15_000;
const GROUP_PROTOCOL_TIMEOUT_MS = 1_000;

/**
 * Reads topics as a member of a consumer group, partition by partition.
 *
 * For each partition that it is assigned it runs `consume`, one at a time a partition. A partition that stays
 * through a rebalance goes on undisturbed; one that goes is told so at once (`AssignedPartition.lose`), and its
 * work has ended before it can begin again here.
 *
 * Every assigned partition is paused in the GROUP_JOIN listener, which runs before the first fetch.
 */
export class GroupReader {
  readonly #options: GroupReaderOptions;
  readonly #connection: KafkaConnection;
  readonly #admin: KafkaAdmin;
  readonly #log: Logger;
  readonly #partitions = new Map<string, AssignedPartition>();
  /** The running `consume` of each partition, also after it was lost. */
  readonly #loops = new Map<string, Promise<void>>();
  readonly #committer: OffsetCommitter;
  readonly #failure = Promise.withResolvers<never>();
  readonly #restarts = new Backoff(RESTART_MIN_MS, RESTART_MAX_MS);
  #consumer: Consumer | undefined;
  #group: ConsumerGroupInstance | undefined;
  #membership: GroupMembership | undefined;
  #heartbeats: NodeJS.Timeout | undefined;
  #stopping = false;
  #readable: (() => void) | undefined;

  constructor(connection: KafkaConnection, admin: KafkaAdmin, options: GroupReaderOptions, log: Logger) {
    this.#connection = connection;
    this.#admin = admin;
    this.#options = options;
    this.#log = log.child({ group: options.groupId });
    this.#committer = new OffsetCommitter(() => this.#group);
    this.#failure.promise.catch(() => undefined);
  }

  /** Rejects when the reader cannot go on; the process should then end with the reason. */
  get failure(): Promise<never> {
    return this.#failure.promise;
  }

  /** The partitions assigned now, lost ones left out. */
  get partitions(): readonly AssignedPartition[] {
    return [...this.#partitions.values()];
  }

  /** Whether this process is a member of the group now. */
  get joined(): boolean {
    return this.#membership !== undefined;
  }

  /** Joins the group. Resolves when reading has begun; waits for brokers that are away. */
  async start(): Promise<void> {
    this.#heartbeats ??= setInterval(() => this.#heartbeat(), this.#options.heartbeatInterval);
    await this.#run();
  }

  /** Runs a new kafkajs consumer; one that has crashed cannot be used again. */
  async #run(): Promise<void> {
    const { groupId, topics, fetchMaxBytes, fetchMaxWait } = this.#options;
    const consumer = this.#connection.instance(PATIENT).consumer({
      groupId,
      partitionAssigners: [
        createAssigner({
          ownership: () => this.#ownership(),
          eligible: this.#options.eligible,
          observer: this.#observer(),
        }),
      ],
      sessionTimeout: this.#options.sessionTimeout,
      rebalanceTimeout: this.#options.rebalanceTimeout,
      heartbeatInterval: this.#options.heartbeatInterval,
      maxBytes: fetchMaxBytes,
      maxBytesPerPartition: Math.ceil(fetchMaxBytes / PARTITION_SHARE_OF_FETCH),
      maxWaitTimeInMs: fetchMaxWait,
      metadataMaxAge: 60_000,
      allowAutoTopicCreation: false,
      retry: PATIENT,
    });
    this.#consumer = consumer;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => this.#joined(payload.memberAssignment));
    consumer.on(consumer.events.CRASH, ({ payload }) => this.#crashed(payload.error, payload.restart));
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...topics], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        partitionsConsumedConcurrently: 1,
        eachBatch: async () => undefined,
      });
    } catch (error) {
      // kafkajs closes a consumer that crashes, but not one that never ran.
      void consumer.disconnect().catch(() => undefined);
      throw error;
    }
  }

  /** Where to begin: the committed offset, or the oldest record kept when there is none or it is gone. */
  async startOffset(partition: AssignedPartition): Promise<StartOffset> {
    const { topic } = partition;
    const [committed, bounds] = await Promise.all([
      this.#admin.committedOffsets(this.#options.groupId, topic),
      this.#admin.offsetBounds(topic),
    ]);
    const bound = bounds.get(partition.partition);
    if (bound === undefined) {
      throw new KafkaSetupError(
        `Topic ${topic} has no partition ${partition.partition}. Was it deleted and made anew?`,
      );
    }
    return startOffset(committed.get(partition.partition), bound);
  }

  /**
   * Resolves once the group coordinator has accepted a heartbeat, sent after the call, in the generation in which
   * this process holds the partition. Waits through rebalances and for brokers that are away, until `signal`.
   *
   * @throws PartitionLostError
   */
  async confirmOwnership(partition: AssignedPartition, signal = partition.lost): Promise<void> {
    for (;;) {
      partition.assertOwned();
      if (signal.aborted) return;
      const group = this.#group;
      if (group !== undefined && isMember(group, partition)) {
        try {
          // kafkajs shares a heartbeat that is under way: only the second one is surely sent after the call.
          await group.heartbeat({ interval: 0 });
          await group.heartbeat({ interval: 0 });
          partition.assertOwned();
          if (isMember(group, partition)) return;
        } catch (error) {
          partition.assertOwned();
          this.#log.debug(
            { error: errorMessage(error), partition: partition.partition },
            'ownership not confirmed',
          );
        }
      }
      await sleep(OWNERSHIP_RETRY_MS, signal);
    }
  }

  /**
   * Commits `offset` as the next to read. One request carries the offsets of all partitions that wait.
   * A commit that fails is tried again while the partition is held.
   *
   * @throws PartitionLostError
   */
  async commit(partition: AssignedPartition, offset: bigint): Promise<void> {
    for (;;) {
      partition.assertOwned();
      try {
        await this.#committer.commit(partition, offset);
        return;
      } catch (error) {
        partition.assertOwned();
        this.#log.debug(
          { error: errorMessage(error), type: kafkaErrorType(error) },
          'commit failed, trying again',
        );
        if (isMembershipError(error)) await this.confirmOwnership(partition);
        else await sleep(OWNERSHIP_RETRY_MS, partition.lost);
      }
    }
  }

  /**
   * Stops in two steps. Soft: every partition drains, finishes what is in flight, and the group is left. Hard,
   * at `deadline` (ms since the epoch): what still runs is given up as lost, nothing more is committed.
   *
   * @returns partitions whose work had not ended at the deadline
   */
  async stop(deadline: number): Promise<AssignedPartition[]> {
    this.#stopping = true;
    for (const partition of this.#partitions.values()) partition.drain();
    await within(Promise.all(this.#loops.values()), deadline - Date.now());
    const left = [...this.#partitions]
      .filter(([key]) => this.#loops.has(key))
      .map(([, partition]) => partition);
    for (const partition of this.#partitions.values()) partition.lose();
    clearInterval(this.#heartbeats);
    this.#readable?.();
    const leave = this.#consumer?.disconnect().catch(() => undefined);
    await within(leave, Math.max(GROUP_PROTOCOL_TIMEOUT_MS, deadline - Date.now()));
    this.#membership = undefined;
    return left;
  }

  #ownership() {
    const owned: Record<string, number[]> = {};
    for (const { topic, partition } of this.#partitions.values()) (owned[topic] ??= []).push(partition);
    return { generation: this.#membership?.generationId ?? -1, owned };
  }

  #observer(): GroupObserver {
    return {
      groupCreated: (group) => {
        this.#group = group;
      },
      readable: (ms) => this.#waitReadable(ms),
      fetched: (batch) => this.#fetched(batch),
      topicMissing: () => {
        for (const partition of this.#partitions.values()) partition.topicMissing();
      },
      offsetOutOfRange: (topic, partition) => this.#partitions.get(key(topic, partition))?.outOfRange(),
    };
  }

  #fetched(batch: FetchedBatch): boolean {
    return this.#partitions.get(key(batch.topic, batch.partition))?.offer(batch) ?? false;
  }

  async #waitReadable(ms: number): Promise<void> {
    if (this.#stopping || this.partitions.some((partition) => !partition.paused)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      const previous = this.#readable;
      this.#readable = () => {
        clearTimeout(timer);
        previous?.();
        resolve();
      };
    });
    this.#readable = undefined;
  }

  #joined(assignment: Record<string, number[]>): void {
    const group = this.#group!;
    const membership = { generationId: group.generationId ?? -1, memberId: group.memberId ?? '' };
    const before = this.#membership;
    this.#membership = membership;
    this.#restarts.reset();
    const stayedMember =
      before !== undefined &&
      before.memberId === membership.memberId &&
      before.generationId + 1 === membership.generationId;
    const assigned = new Map(
      Object.entries(assignment).flatMap(([topic, list]) =>
        list.map((partition) => [key(topic, partition), { topic, partition }] as const),
      ),
    );
    for (const [id, partition] of this.#partitions) {
      if (stayedMember && assigned.has(id)) continue;
      partition.lose();
      this.#partitions.delete(id);
    }
    for (const [id, { topic, partition }] of assigned) {
      const held = this.#partitions.get(id);
      if (held !== undefined) held.stayed(membership);
      else this.#open(id, new AssignedPartition(topic, partition, membership, this.#partitionGroup()));
    }
    this.#log.info(
      { generation: membership.generationId, partitions: assigned.size },
      `assigned ${assigned.size} partitions`,
    );
  }

  #open(id: string, partition: AssignedPartition): void {
    this.#group!.pause([{ topic: partition.topic, partitions: [partition.partition] }]);
    this.#partitions.set(id, partition);
    if (this.#stopping) partition.drain();
    const before = this.#loops.get(id) ?? Promise.resolve();
    const loop = before.then(async () => {
      try {
        if (partition.active) await this.#options.consume(partition);
      } catch (error) {
        if (!(error instanceof PartitionLostError)) this.#failure.reject(error);
      }
      if (this.#loops.get(id) === loop) this.#loops.delete(id);
    });
    this.#loops.set(id, loop);
  }

  #crashed(error: Error, restart: boolean): void {
    this.#membership = undefined;
    for (const partition of this.#partitions.values()) partition.lose();
    this.#partitions.clear();
    if (this.#stopping) return;
    if (restart) this.#log.warn({ error: error.message }, 'consumer restarts');
    else if (isConnectionTrouble(error) || isLoginRefused(error)) void this.#restart(error);
    else this.#failure.reject(error);
  }

  /**
   * kafkajs gives up at some kinds of broker trouble that it could wait out, such as a coordinator not found, and at
   * a login that is refused. That was good at the start, so one side has been given new credentials before the other.
   */
  async #restart(error: Error): Promise<void> {
    const retryInMs = Math.round(this.#restarts.next());
    const what = isLoginRefused(error) ? 'Kafka refuses the login; trying again' : 'consumer restarts';
    this.#log.warn({ error: error.message, retryInMs }, what);
    await sleep(retryInMs);
    if (this.#stopping) return;
    await this.#run().catch((reason: Error) => this.#crashed(reason, false));
  }

  #heartbeat(): void {
    if (this.#membership === undefined) return;
    // kafkajs' own loop meets the same answer and acts on it; this one only keeps the session alive between fetches.
    this.#group?.heartbeat({ interval: this.#options.heartbeatInterval / 2 }).catch(() => undefined);
  }

  #partitionGroup(): PartitionGroup {
    const position = ({ topic, partition }: AssignedPartition) => [{ topic, partitions: [partition] }];
    return {
      pause: (partition) => this.#group?.pause(position(partition)),
      resume: (partition) => {
        this.#group?.resume(position(partition));
        this.#readable?.();
      },
      seek: ({ topic, partition }, offset) => this.#group?.seek({ topic, partition, offset: String(offset) }),
      queueShare: () => this.#options.queueBytes / Math.max(1, this.#partitions.size),
    };
  }
}

/** Whether the member that kafkajs is now is the one that was assigned the partition. */
function isMember(group: ConsumerGroupInstance, { membership }: AssignedPartition): boolean {
  // kafkajs drops its member id when the broker no longer knows it; its heartbeat then does nothing and resolves.
  return group.memberId === membership.memberId && group.generationId === membership.generationId;
}

/** Waits for `work`, at most `ms`. */
async function within(work: Promise<unknown> | undefined, ms: number): Promise<void> {
  const done = new AbortController();
  await Promise.race([work, sleep(Math.max(0, ms), done.signal)]);
  done.abort();
}

function key(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
