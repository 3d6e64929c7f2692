import { TOPIC_FAULTS } from './partition-errors.ts';

export interface TopicMetadata {
  readonly topic: string;
  readonly topicErrorCode: number;
}

export interface AssignedTopic {
  readonly topic: string;
  readonly partitions: readonly number[];
}

interface Seek {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
}

/** Where partitions are to be read from, each to be taken note of once. */
export interface Seeks {
  pop(topic: string, partition: number): Seek | undefined;
}

/** kafkajs' book of offsets. */
export interface SeekableOffsets {
  seek(position: Seek): Promise<void>;
  /** By topic and partition. A partition without an entry is not fetched. */
  committedOffsets(): Record<string, Record<number, string>>;
}

/**
 * Takes note of where partitions are to be read from. The original then asks for the offsets of all others, of all
 * topics: with one that nobody leads, nothing is fetched.
 */
export async function seekOnly(
  seeks: Seeks,
  offsets: SeekableOffsets,
  assigned: readonly AssignedTopic[],
): Promise<void> {
  const known = offsets.committedOffsets();
  for (const { topic, partitions } of assigned) {
    for (const partition of partitions) {
      const sought = seeks.pop(topic, partition);
      if (sought === undefined) continue;
      await offsets.seek(sought);
      (known[topic] ??= {})[partition] = sought.offset;
    }
  }
}

/** Notices which topics that are assigned are not there, or not for this user, any more. */
export class MissingTopics {
  #metadata: object | null = null;
  #missing: ReadonlySet<string> = new Set();

  /** @returns those of which nothing was told since they were last there */
  news(
    metadata: { readonly topicMetadata: readonly TopicMetadata[] } | null,
    assigned: Readonly<Record<string, unknown>>,
  ): string[] {
    if (metadata === null || metadata === this.#metadata) return [];
    this.#metadata = metadata;
    const missing = metadata.topicMetadata
      .filter(({ topic, topicErrorCode }) => TOPIC_FAULTS[topicErrorCode] !== undefined && topic in assigned)
      .map(({ topic }) => topic);
    const news = missing.filter((topic) => !this.#missing.has(topic));
    this.#missing = new Set(missing);
    return news;
  }
}

/** Whether an error is about a topic that is not there, or not for this user. */
export function isTopicFault({ type = '' }: { readonly type?: string }): boolean {
  return Object.values(TOPIC_FAULTS).includes(type);
}
