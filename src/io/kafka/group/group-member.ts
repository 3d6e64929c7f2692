import type { Consumer } from 'kafkajs';
import type { Logger } from 'pino';
import { errorMessage } from '../../../core/model/errors.ts';
import { monotonicMs } from '../../time/clock.ts';
import { Backoff, sleep, within } from '../../time/sleep.ts';
import { type KafkaConnection, PATIENT } from '../client/connection.ts';
import { isConnectionTrouble, isLoginRefused, isServerTrouble } from '../errors.ts';
import { ofPenstock } from '../patch/boundary.ts';
import type { GroupObserver } from '../patch/group-observer.ts';
import type { ConsumerGroupInstance, GroupMembership } from '../patch/types.ts';
import { createAssigner } from './assigner.ts';

/** Settings of a member of a consumer group. Times in ms, sizes in bytes. */
export interface GroupMemberOptions {
  readonly groupId: string;
  /** May change, as may `eligible` and the fetch limits: see `subscriptionChanged`. */
  readonly topics: readonly string[];
  /** True for partitions this group reads; must be the same in every member. */
  readonly eligible: (topic: string, partition: number) => boolean;
  readonly sessionTimeout: number;
  readonly rebalanceTimeout: number;
  readonly heartbeatInterval: number;
  readonly fetchMaxBytes: number;
  readonly fetchMaxWait: number;
}

const RESTART_MIN_MS = 1_000;
const RESTART_MAX_MS = 15_000;
/** Least time for leaving the group, also past the deadline. */
const LEAVE_MS = 1_000;

/** Group membership for the life of the process: one kafkajs consumer, replaced after a crash. */
export class GroupMember {
  readonly #options: GroupMemberOptions;
  readonly #connection: KafkaConnection;
  readonly #observer: GroupObserver;
  readonly #log: Logger;
  readonly #failure = Promise.withResolvers<never>();
  readonly #restarts = new Backoff(RESTART_MIN_MS, RESTART_MAX_MS);
  #consumer: Consumer | undefined;
  #group: ConsumerGroupInstance | undefined;
  #membership: GroupMembership | undefined;
  #started: Promise<void> | undefined;
  #heartbeats: NodeJS.Timeout | undefined;
  #stopping = false;
  /** Number of changes of the subscription. */
  #change = 0;

  constructor(
    connection: KafkaConnection,
    options: GroupMemberOptions,
    observer: GroupObserver,
    log: Logger,
  ) {
    this.#connection = connection;
    this.#options = options;
    this.#observer = observer;
    this.#log = log;
    this.#failure.promise.catch(() => undefined);
  }

  /** Rejects when the member cannot go on. */
  get failure(): Promise<never> {
    return this.#failure.promise;
  }

  fail(error: unknown): void {
    this.#failure.reject(error);
  }

  get group(): ConsumerGroupInstance | undefined {
    return this.#group;
  }

  /** True while this process is a member of the group. */
  get joined(): boolean {
    return this.#membership !== undefined;
  }

  /**
   * Joins the group. Resolves when reading has begun; waits for brokers that are down. May be called again: no effect
   * once it runs, another attempt after a failure.
   */
  start(): Promise<void> {
    this.#heartbeats ??= setInterval(() => this.#heartbeat(), this.#options.heartbeatInterval);
    this.#started ??= this.#run().catch((error) => {
      this.#started = undefined;
      throw error;
    });
    return this.#started;
  }

  /** The topics or their eligible partitions have changed: rejoins, while fetches go on. */
  subscriptionChanged(): void {
    this.#change += 1;
    if (this.#group !== undefined) void this.#subscribe(this.#group, this.#change);
  }

  /** Subscribes to the new topics, with retries, unless another change or group supersedes it. */
  async #subscribe(group: ConsumerGroupInstance, change: number): Promise<void> {
    const backoff = new Backoff(RESTART_MIN_MS, RESTART_MAX_MS);
    while (!this.#stopping && this.#group === group && this.#change === change) {
      try {
        return await group.subscribe(this.#options.topics);
      } catch (error) {
        const retryInMs = Math.round(backoff.next());
        const fields = { error: errorMessage(error), retryInMs };
        this.#log.warn(
          fields,
          'the topics to read have changed, and Kafka does not tell of them; trying again',
        );
        await sleep(retryInMs);
      }
    }
  }

  /** Prevents restarts after a crash from now on. */
  stopping(): void {
    this.#stopping = true;
  }

  /** Leaves the group; waits until `deadline` (`monotonicMs`), but at least a second. */
  async leave(deadline: number): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#heartbeats);
    const left = this.#consumer?.disconnect().catch(() => undefined);
    await within(left, Math.max(LEAVE_MS, deadline - monotonicMs()));
    this.#membership = undefined;
  }

  /** Runs a new kafkajs consumer; one that has crashed cannot be used again. */
  async #run(): Promise<void> {
    const { groupId, topics, sessionTimeout, fetchMaxBytes, fetchMaxWait } = this.#options;
    // Half a session: a coordinator that hangs must be noticed in time to turn to the next one.
    const consumer = this.#connection.instance(PATIENT, sessionTimeout / 2).consumer({
      groupId,
      partitionAssigners: [
        createAssigner({
          eligible: (topic, partition) => this.#options.eligible(topic, partition),
          observer: this.#observer,
          created: (group) => this.#created(group),
        }),
      ],
      sessionTimeout,
      rebalanceTimeout: this.#options.rebalanceTimeout,
      heartbeatInterval: this.#options.heartbeatInterval,
      maxBytes: fetchMaxBytes,
      maxWaitTimeInMs: fetchMaxWait,
      metadataMaxAge: 60_000,
      allowAutoTopicCreation: false,
      retry: PATIENT,
    });
    this.#consumer = consumer;
    const joined = ofPenstock(this.#joined.bind(this));
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => joined(payload.memberAssignment));
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

  #created(group: ConsumerGroupInstance): void {
    this.#group = group;
    // kafkajs creates the group with the topics the consumer started with.
    if (this.#change > 0) void this.#subscribe(group, this.#change);
  }

  #joined(assignment: Readonly<Record<string, number[]>>): void {
    const { generationId, memberId } = this.#group!;
    const before = this.#membership;
    this.#membership = { generationId: generationId ?? -1, memberId: memberId ?? '' };
    this.#restarts.reset();
    const fields = { member: memberId, generation: generationId };
    if (before !== undefined && before.memberId !== memberId) {
      this.#log.warn(
        { ...fields, before: before.memberId, sessionTimeout: this.#options.sessionTimeout },
        'evicted: the group has not heard of this process for a session timeout, and gave its partitions away',
      );
    }
    this.#observer.assigned(this.#membership, assignment);
    const partitions = Object.values(assignment).flat().length;
    this.#log.info({ ...fields, partitions }, `assigned ${partitions} partitions`);
  }

  #crashed(error: Error, restart: boolean): void {
    this.#membership = undefined;
    this.#observer.lost();
    if (this.#stopping) return;
    if (restart) this.#log.warn({ error: error.message }, 'consumer restarts');
    else if (canRestart(error)) void this.#restart(error);
    else this.fail(error);
  }

  /**
   * kafkajs gives up on some transient failures, such as a coordinator not found or a failing broker, and on a refused
   * login. The login worked at start-up, so only one side has received new credentials yet.
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
    this.#group?.beat({ interval: this.#options.heartbeatInterval / 2 }).catch(() => undefined);
  }
}

/** False for errors that need the operator, and for bugs. */
function canRestart(error: unknown): boolean {
  return isConnectionTrouble(error) || isServerTrouble(error) || isLoginRefused(error);
}
