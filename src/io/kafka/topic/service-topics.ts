import type { DeadTopic } from '../../../core/record/dead-letter.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { KafkaAdmin } from '../admin/admin.ts';
import { OutputTopics } from './output-topics.ts';
import type { NeededTopic, OutputTopic } from './topic-look.ts';
import { assertNewUsable, isAbsent, type TopicTrouble, unusableTopics } from './topic-trouble.ts';
import { TopicTroubles } from './topic-troubles.ts';
import { TopicWatch } from './topic-watch.ts';

/** The topics that a service uses; a reload replaces them. */
export interface UsedTopics {
  /** Those that it reads. */
  readonly sources: readonly string[];
  /** Those that it writes to, without the dead-letter topic. */
  readonly outputs: readonly NeededTopic[];
  readonly deadTopic: string;
}

/** False for partitions of the sources that other services read. */
export type Reads = (topic: string, partition: number) => boolean;

/** The topics that a service reads and writes, and their faults. */
export class ServiceTopics {
  readonly outputs: OutputTopics;
  readonly troubles: TopicTroubles;
  /** Looks at the sources now and then. */
  readonly watch: TopicWatch;
  /** The topics in force. */
  #used: UsedTopics;

  constructor(admin: KafkaAdmin, used: UsedTopics, log: Logger, reads?: Reads) {
    this.#used = used;
    this.troubles = new TopicTroubles(log);
    this.outputs = new OutputTopics(admin, this.troubles);
    this.watch = new TopicWatch(admin, () => this.#used.sources, this.troubles, reads);
  }

  /** The dead-letter topic in its present state. */
  get dead(): DeadTopic {
    return this.outputs.deadTopic(this.#used.deadTopic);
  }

  /**
   * Checks the topics before the service starts. Faults of some of them do not stop it: their partitions wait.
   *
   * @throws FatalKafkaError when no source can be read, or none of the outputs exists
   */
  async check(): Promise<void> {
    let used: UsedTopics;
    do {
      used = this.#used;
      const troubles = await this.watch.look();
      assertAnyThere(used.sources, (topic) => troubles.get(topic));
      const found = await this.outputs.look(neededBy(used));
      const outputs = used.outputs.map(({ topic }) => topic);
      assertAnyThere(outputs, (topic) => found.get(topic)?.trouble);
      this.outputs.use(neededBy(used), found);
    } while (used !== this.#used); // a reload came in between
  }

  /**
   * Looks at the topics of another configuration.
   *
   * @param sources the state of those that it reads
   * @returns that of its output topics, for `use`
   * @throws FatalKafkaError when a new topic cannot be used
   */
  async look(
    next: UsedTopics,
    sources: Promise<ReadonlyMap<string, { readonly trouble: TopicTrouble | undefined }>>,
  ): Promise<ReadonlyMap<string, OutputTopic>> {
    const [found, read] = await Promise.all([this.outputs.look(neededBy(next)), sources]);
    const known = new Set([...this.#used.sources, ...neededBy(this.#used).map(({ topic }) => topic)]);
    assertNewUsable([...read, ...found], known);
    return found;
  }

  /** Puts the topics of another configuration in force. */
  use(next: UsedTopics, found: ReadonlyMap<string, OutputTopic>): void {
    this.#used = next;
    this.outputs.use(neededBy(next), found);
  }
}

/** All topics that a service writes to. */
function neededBy({ outputs, deadTopic }: UsedTopics): NeededTopic[] {
  return [{ topic: deadTopic, partitions: 1 }, ...outputs];
}

/** @throws FatalKafkaError when there are topics, and nothing can be done with any of them */
function assertAnyThere(
  topics: readonly string[],
  troubleOf: (topic: string) => TopicTrouble | undefined,
): void {
  const absent = topics.flatMap((topic) => troubleOf(topic) ?? []).filter(isAbsent);
  if (topics.length > 0 && absent.length === topics.length) throw unusableTopics(absent);
}
