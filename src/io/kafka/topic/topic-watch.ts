import type { KafkaAdmin } from '../admin/admin.ts';
import { leaderlessPartitions, type TopicTrouble } from './topic-trouble.ts';
import type { TopicTroubles } from './topic-troubles.ts';

const LOOK_MS = 15_000;

/**
 * Checks the source topics periodically: a missing topic has no partition whose session would notice, and a partition
 * that loses its leader is just not fetched any more.
 */
export class TopicWatch {
  readonly #admin: Pick<KafkaAdmin, 'topicStates'>;
  readonly #topics: () => readonly string[];
  readonly #troubles: TopicTroubles;
  readonly #reads: (topic: string, partition: number) => boolean;
  #timer: NodeJS.Timeout | undefined;

  /** @param reads true for partitions that concern this process; a missing topic always does */
  constructor(
    admin: Pick<KafkaAdmin, 'topicStates'>,
    topics: () => readonly string[],
    troubles: TopicTroubles,
    reads: (topic: string, partition: number) => boolean = () => true,
  ) {
    this.#admin = admin;
    this.#topics = topics;
    this.#troubles = troubles;
    this.#reads = reads;
  }

  /** Checks topics now; default: the source topics. @returns faults by topic */
  async look(topics = this.#topics()): Promise<ReadonlyMap<string, TopicTrouble>> {
    const found = new Map<string, TopicTrouble>();
    for (const [topic, { partitions, trouble }] of await this.#admin.topicStates(topics)) {
      const leaderless = partitions
        .filter(({ leader, partitionId }) => leader < 0 && this.#reads(topic, partitionId))
        .map(({ partitionId }) => partitionId);
      const met = trouble ?? (leaderless.length > 0 ? leaderlessPartitions(topic, leaderless) : undefined);
      if (met !== undefined) {
        found.set(topic, met);
        this.#troubles.met(met, 'What is read from there waits; everything else goes on');
      } else if (this.#isSeenHere(topic)) this.#troubles.over(topic);
    }
    return found;
  }

  /** Starts checking periodically. */
  start(): void {
    this.#timer ??= setInterval(() => void this.look().catch(() => undefined), LOOK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** True if the known fault is of a kind that `look` can detect, unlike missing read rights. */
  #isSeenHere(topic: string): boolean {
    const known = this.#troubles.current.find((each) => each.topic === topic);
    return known?.kind === 'missing' || known?.kind === 'no_leader';
  }
}
