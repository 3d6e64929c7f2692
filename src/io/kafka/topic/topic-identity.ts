import type { AssignedPartition } from '../group/assigned-partition.ts';
import type { StaleAnswerGuard } from '../stale-answer-guard.ts';
import type { TopicMark } from './topic-mark.ts';

/** A topic as metadata have it. */
export interface TopicNow {
  /** Absent: the brokers are older than Kafka 2.8. */
  readonly topicId?: string | undefined;
  readonly partitions: number;
}

/** What has become of a topic since something was committed for one of its partitions. */
export interface Identity {
  /** Of the topic now; undefined where brokers do not say. */
  readonly topicId: string | undefined;
  /**
   * `another`: it was deleted and made again, and nothing is committed for the one that has its name now. `unknown`:
   * nothing was committed or noted that could tell, or brokers do not say.
   */
  readonly is: 'same' | 'another' | 'unknown';
}

/** Tells a topic that was deleted and made again from the one that had its name before, by Kafka's ids of topics. */
export class TopicIdentity {
  readonly #ask: (topic: string) => Promise<TopicNow | undefined>;
  readonly #unlikely: StaleAnswerGuard;
  readonly #nowMs: () => number;
  /** By partition the id with which this process has begun it. Offsets of a topic are deleted with it. */
  readonly #begun = new Map<string, string>();
  /** By topic the id that it has; and that of the one before, with the number of partitions that the topic came back with. */
  readonly #topics = new Map<string, { id: string; before?: { id: string; partitions: number } }>();

  /** @param ask what metadata say now */
  constructor(
    ask: (topic: string) => Promise<TopicNow | undefined>,
    unlikely: StaleAnswerGuard,
    nowMs: () => number = Date.now,
  ) {
    this.#ask = ask;
    this.#unlikely = unlikely;
    this.#nowMs = nowMs;
  }

  /**
   * Sets the mark for the commits of a partition that is about to begin.
   *
   * Ask what is committed, and where the partition ends, before: then they are of this topic, or of one before it.
   *
   * @param marks of what is committed for the partition; undefined for a commit without
   * @throws RetryableError while only a broker that is behind may say that it is another topic
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

  /** Of a partition that has come to this process since: the id of the topic that it was of when the others began. */
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
