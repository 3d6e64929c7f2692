import { errorMessage, RetryableError } from '../../../core/model/errors.ts';
import { monotonicMs } from '../../time/clock.ts';
import { sleep } from '../../time/sleep.ts';
import { isConnectionTrouble, isCoordinatorMoving, isMembershipError, kafkaErrorType } from '../errors.ts';
import type { GroupObserver } from './group-observer.ts';
import { stably } from './offset-fetch.ts';
import type { ConsumerGroupInstance, OriginalConsumerGroup } from './types.ts';

interface Broker {
  heartbeat(request: {
    groupId: string;
    memberId: string;
    groupGenerationId: number | null;
  }): Promise<unknown>;
  offsetFetch(request: {
    groupId: string;
    topics: { topic: string; partitions: { partition: number }[] }[];
  }): Promise<{
    responses: { topic: string; partitions: { offset: string; metadata: string | null }[] }[];
  }>;
}

/** kafkajs' consumer group as a member of a group. */
export interface OriginalMember extends OriginalConsumerGroup {
  /** Topics in the member's join; `topicConfigurations` keeps an entry for every topic it ever read. */
  topicsSubscribed: readonly string[];
  readonly topicConfigurations: Record<string, { fromBeginning: boolean }>;
  partitionsPerSubscribedTopic: Map<string, number[]> | null;
  generatePartitionsPerSubscribedTopic(): Map<string, number[]>;
  readonly cluster: {
    addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
    findGroupCoordinator(options: { groupId: string }): Promise<Broker>;
  };
  coordinator: Broker | null;
  readonly offsetManager: { coordinator: Broker } | null;
  joinAndSync(): Promise<void>;
  leave(): Promise<void>;
}

/** Pause while a partition has no leader, or a group no coordinator: an election takes some 100 ms. */
export const ELECTION_PAUSE_MS = 100;
/** Pause while an offset is part of an unsettled transaction: settling takes a coordinator a moment at most. */
const UNSTABLE_PAUSE_MS = 20;
/** A transaction unsettled for longer than this is a new one, whose producer may be alive. */
const UNSTABLE_GIVE_UP_MS = 5_000;

/** Replaces the coordinator's error, whose `type` would make kafkajs rebalance the group. */
class CoordinatorMovedError extends Error {
  override readonly name = 'CoordinatorMovedError';
  /** Has kafkajs try again. */
  readonly retriable = true;

  constructor(answer: unknown) {
    super(`the group's coordinator has moved: ${errorMessage(answer)}`);
  }
}

interface Joining {
  readonly is: 'joining';
  readonly done: Promise<void>;
  /** The subscription has changed since the join began. */
  isOutdated: boolean;
  /** It runs beside the fetches: nobody waits for it, so kafkajs meets its failure at its next heartbeat. */
  isBeside: boolean;
}

type JoinState =
  | { readonly is: 'joined' | 'outdated' }
  | Joining
  | { readonly is: 'apart'; readonly untold?: unknown };

/**
 * kafkajs' membership in a group, and how far its joins have come:
 *
 *     joined ───subscribe()───▶ outdated
 *       │ ▲                      │    ▲
 *       │ └───────success────┐   │    │ success, and subscribe() meanwhile
 *       └──joinAndSync()──▶ joining ──┘
 *                            │   ▲
 *                            ▼   │
 *                            apart
 *
 * - joined: nothing to do, unless the coordinator or the observer asks for another join. Also before the first.
 * - outdated: joined with a subscription that has changed. The next heartbeat joins again.
 * - joining: concurrent callers share one join.
 * - apart: the last join failed. The next heartbeat throws the failure if nobody knows it; the one after joins again.
 *
 * Changes to kafkajs:
 *
 * - A rebalance runs beside the fetches, and a member that has given up partitions starts one. The original fetches
 *   nothing from the start of a rebalance until all members have joined.
 * - Heartbeats are due by a monotonic clock, and `heardMs` counts those sent and answered. The original goes by the
 *   system's time: set back by an hour, it sends none for an hour and reports success.
 * - A coordinator that cannot be reached or has moved is looked up again, also when a commit fails. The original asks a
 *   dead broker for ever; when another broker takes over it rebalances the whole group, or crashes the consumer if that
 *   broker is not ready yet.
 */
export function patchMembership<Original extends OriginalMember>(
  OriginalGroup: new (args: never) => Original,
) {
  const Base = OriginalGroup as unknown as new (args: unknown) => OriginalMember;
  return class Member extends Base implements Omit<ConsumerGroupInstance, 'topicOf' | 'refreshMetadata'> {
    heardMs = Number.NEGATIVE_INFINITY;
    readonly observer: GroupObserver;
    /** When the last heartbeat was answered; before the first, when this object was created. */
    #answeredMs = monotonicMs();
    #state: JoinState = { is: 'joined' };
    /** The heartbeat under way, and the look-up of the coordinator. */
    #beating: Promise<void> | undefined;
    #finding: Promise<void> | undefined;

    constructor(args: unknown, observer: GroupObserver) {
      super(args);
      this.observer = observer;
    }

    /** kafkajs' heartbeat between fetches. Where the original would rejoin at once, this joins beside the fetches. */
    override async heartbeat(options: { interval: number }): Promise<void> {
      this.#meetJoinFailure();
      if (this.#state.is !== 'joined' || this.observer.mustRejoin()) this.#joinBeside();
      const { memberId, generationId } = this;
      try {
        await this.beat(options);
      } catch (error) {
        if (!isMembershipError(error)) throw error;
        const isOld = memberId !== this.memberId || generationId !== this.generationId;
        if (isOld || this.#isJoining) return;
        if (kafkaErrorType(error) === 'UNKNOWN_MEMBER_ID') throw error;
        this.#joinBeside();
      }
    }

    beat(options: { interval: number }): Promise<void> {
      this.#beating ??= this.#beat(options).finally(() => {
        this.#beating = undefined;
      });
      return this.#beating;
    }

    async #beat({ interval }: { interval: number }): Promise<void> {
      const { groupId, memberId, generationId, coordinator } = this;
      const sentMs = monotonicMs();
      if (!memberId || coordinator === null || sentMs - this.#answeredMs < interval) return;
      try {
        await coordinator.heartbeat({ groupId, memberId, groupGenerationId: generationId });
        this.heardMs = sentMs;
        this.#answeredMs = monotonicMs();
      } catch (error) {
        // REBALANCE_IN_PROGRESS shows that the member is known, and renews its session.
        if (kafkaErrorType(error) === 'REBALANCE_IN_PROGRESS') this.heardMs = sentMs;
        throw this.#lookedInto(error);
      }
    }

    override joinAndSync(): Promise<void> {
      return this.#joining().done;
    }

    #joinBeside(): void {
      const joining = this.#joining();
      joining.isBeside = true;
      joining.done.catch(() => undefined);
    }

    get #isJoining(): boolean {
      return this.#state.is === 'joining';
    }

    /** The join under way; begins one if there is none. */
    #joining(): Joining {
      if (this.#state.is === 'joining') return this.#state;
      const joining: Joining = {
        is: 'joining',
        isOutdated: false,
        isBeside: false,
        done: this.#join().then(
          () => {
            this.#state = { is: joining.isOutdated ? 'outdated' : 'joined' };
          },
          (error) => {
            this.#state = joining.isBeside ? { is: 'apart', untold: error } : { is: 'apart' };
            throw error;
          },
        ),
      };
      this.#state = joining;
      return joining;
    }

    async #join(): Promise<void> {
      for (;;) {
        const sentMs = monotonicMs();
        try {
          await super.joinAndSync();
          this.heardMs = Math.max(this.heardMs, sentMs);
          return;
        } catch (error) {
          if (!isCoordinatorMoving(error)) throw error;
          await sleep(ELECTION_PAUSE_MS);
        }
      }
    }

    #meetJoinFailure(): void {
      if (this.#state.is !== 'apart' || this.#state.untold === undefined) return;
      const { untold } = this.#state;
      this.#state = { is: 'apart' };
      throw untold;
    }

    /** A member that leaves while it joins would come back as another one. */
    override async leave(): Promise<void> {
      if (this.#state.is === 'joining') await this.#state.done.catch(() => undefined);
      await super.leave();
    }

    async subscribe(topics: readonly string[]): Promise<void> {
      await this.cluster.addMultipleTargetTopics(topics);
      for (const topic of topics) this.topicConfigurations[topic] ??= { fromBeginning: true };
      this.topicsSubscribed = [...topics];
      // Otherwise the next fetch would compare the new topics with no known partitions.
      if (this.partitionsPerSubscribedTopic !== null)
        this.partitionsPerSubscribedTopic = this.generatePartitionsPerSubscribedTopic();
      if (this.#state.is === 'joining') this.#state.isOutdated = true;
      else if (this.#state.is === 'joined') this.#state = { is: 'outdated' };
    }

    override async commitOffsets(offsets: Parameters<OriginalMember['commitOffsets']>[0]): Promise<void> {
      try {
        await super.commitOffsets(offsets);
      } catch (error) {
        throw this.#lookedInto(error);
      }
    }

    async committedOffset(position: { topic: string; partition: number }) {
      for (let waitedMs = 0; ; waitedMs += UNSTABLE_PAUSE_MS) {
        try {
          return await this.#stableOffset(position);
        } catch (error) {
          if (kafkaErrorType(error) !== 'UNSTABLE_OFFSET_COMMIT') throw this.#lookedInto(error);
          if (waitedMs >= UNSTABLE_GIVE_UP_MS) throw unsettled(position, error);
        }
        await sleep(UNSTABLE_PAUSE_MS);
      }
    }

    async #stableOffset({ topic, partition }: { topic: string; partition: number }) {
      const { groupId, coordinator } = this;
      if (coordinator === null) throw new RetryableError('the group has no coordinator yet');
      const topics = [{ topic, partitions: [{ partition }] }];
      const { responses } = await stably(() => coordinator.offsetFetch({ groupId, topics }));
      return responses[0]!.partitions[0]!;
    }

    /** Looks up the coordinator if an error shows that it moved or is down. @returns the error to throw */
    #lookedInto(error: unknown): unknown {
      const moved = isCoordinatorMoving(error);
      if (moved || isConnectionTrouble(error)) this.#findCoordinator();
      return moved ? new CoordinatorMovedError(error) : error;
    }

    /** Runs beside fetches and heartbeats; heartbeats fail until the coordinator is found. */
    #findCoordinator(): void {
      this.#finding ??= this.cluster
        .findGroupCoordinator({ groupId: this.groupId })
        .then((coordinator) => {
          this.coordinator = coordinator;
          if (this.offsetManager !== null) this.offsetManager.coordinator = coordinator;
        })
        .catch(() => undefined) // the next heartbeat that fails looks again
        .finally(() => {
          this.#finding = undefined;
        });
    }
  } as unknown as new (
    args: unknown,
    observer: GroupObserver,
  ) => Original &
    Omit<ConsumerGroupInstance, 'topicOf' | 'refreshMetadata'> & { readonly observer: GroupObserver };
}

function unsettled({ topic, partition }: { topic: string; partition: number }, cause: unknown): Error {
  return new RetryableError(
    `${topic}/${partition}: a transaction with an offset of the group is not settled; ` +
      'it ends with its producer, or at its timeout',
    { cause },
  );
}
