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

/** kafkajs' pending seeks; `pop` removes one. */
export interface Seeks {
  pop(topic: string, partition: number): Seek | undefined;
}

/** kafkajs' offset manager. */
export interface SeekableOffsets {
  seek(position: Seek): Promise<void>;
  /** By topic and partition. A partition without an entry is not fetched. */
  committedOffsets(): Record<string, Record<number, string>>;
}

/**
 * Applies the pending seeks of assigned partitions, and nothing else (see `seekOffsets` in consumer-group.ts).
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

/** Detects assigned topics that are missing or no longer authorized. */
export class MissingTopics {
  #metadata: object | null = null;
  #missing: ReadonlySet<string> = new Set();

  /** @returns those that were not missing in the metadata before */
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

/** True for errors about a missing or unauthorized topic. */
export function isTopicFault({ type = '' }: { readonly type?: string }): boolean {
  return Object.values(TOPIC_FAULTS).includes(type);
}
