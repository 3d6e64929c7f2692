import { epochMs } from '../../time/clock.ts';
import type { AssignedPartition } from '../group/assigned-partition.ts';
import type { StaleAnswerGuard } from './stale-answer-guard.ts';
import type { TopicMark } from './topic-mark.ts';

/** A topic as metadata have it. */
export interface TopicNow {
  /** Absent: the brokers are older than Kafka 2.8. */
  readonly topicId?: string | undefined;
  readonly partitions: number;
}

/** Result of comparing a topic with the one that a partition's commits belong to. */
export interface Identity {
  /** Present id; undefined if brokers send none. */
  readonly topicId: string | undefined;
  /**
   * `another`: the topic was recreated, and the new one has no commits. `unknown`: no mark to compare with, or brokers
   * send no ids.
   */
  readonly is: 'same' | 'another' | 'unknown';
}

/** Detects recreated topics by Kafka's topic ids. */
export class TopicIdentity {
  readonly #ask: (topic: string) => Promise<TopicNow | undefined>;
  readonly #unlikely: StaleAnswerGuard;
  readonly #nowMs: () => number;
  /** Topic id by partition when this process began it, since commits are deleted with their topic. */
  readonly #begun = new Map<string, string>();
  /** Id by topic; and its predecessor's, with the number of partitions of the recreated topic when first seen. */
  readonly #topics = new Map<string, { id: string; before?: { id: string; partitions: number } }>();

  /** @param ask fetches present metadata */
  constructor(
    ask: (topic: string) => Promise<TopicNow | undefined>,
    unlikely: StaleAnswerGuard,
    nowMs: () => number = epochMs,
  ) {
    this.#ask = ask;
    this.#unlikely = unlikely;
    this.#nowMs = nowMs;
  }

  /**
   * Identifies the topic of a partition that is about to begin, and sets the mark for its commits.
   *
   * Read the commit and the bounds before the call: then they belong to this topic or an earlier one.
   *
   * @param marks of the partition's commits; undefined for a commit without a mark
   * @throws RetryableError while a recreated topic may be the answer of a broker that is behind
   */
  async look(partition: AssignedPartition, marks: readonly (TopicMark | undefined)[]): Promise<Identity> {
    const now = await this.#ask(partition.topic);
    const topicId = now?.topicId;
    if (now === undefined || topicId === undefined) return { topicId, is: 'unknown' };
    const name = `${partition.topic}/${partition.partition}`;
    const noted = marks.map((mark) => mark?.topicId);
    const known = noted.length === 0 ? [this.#begun.get(name) ?? this.#idBefore(partition)] : noted;
    const isSame = known.includes(topicId);
    const other = isSame ? undefined : known.find((id) => id !== undefined);
    // A commit without a mark was set by hand, or by an earlier version: it counts.
    const isAnother = other !== undefined && !known.some((id) => id === undefined);
    const subject = `${name} topic`;
    if (isAnother) {
      this.#unlikely.met(subject, `${name} is of topic ${topicId}, and what was read of ${other}`);
    } else this.#unlikely.refuted(subject);
    this.#begun.set(name, topicId);
    this.#remember(partition.topic, { topicId, partitions: now.partitions });
    partition.mark = markOf({ topicId, partitions: now.partitions }, marks, this.#nowMs());
    return { topicId, is: isAnother ? 'another' : isSame ? 'same' : 'unknown' };
  }

  /** Id of the predecessor topic for a partition that this process has not begun itself. */
  #idBefore({ topic, partition }: AssignedPartition): string | undefined {
    const before = this.#topics.get(topic)?.before;
    return before !== undefined && partition < before.partitions ? before.id : undefined;
  }

  #remember(topic: string, { topicId, partitions }: { topicId: string; partitions: number }): void {
    const known = this.#topics.get(topic);
    if (known?.id === topicId) return;
    this.#topics.set(
      topic,
      known === undefined ? { id: topicId } : { id: topicId, before: { id: known.id, partitions } },
    );
  }
}

function markOf(
  { topicId, partitions }: { readonly topicId: string; readonly partitions: number },
  marks: readonly (TopicMark | undefined)[],
  nowMs: number,
): TopicMark {
  const before = marks.find((mark) => mark?.topicId === topicId && mark.partitions === partitions);
  return before ?? { topicId, partitions, since: Math.floor(nowMs / 1000) };
}
