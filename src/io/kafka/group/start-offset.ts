import type { CommittedOffset, KafkaAdmin, OffsetBounds } from '../admin/admin.ts';
import { FatalKafkaError } from '../errors.ts';
import type { StaleAnswerGuard } from '../topic/stale-answer-guard.ts';
import type { TopicIdentity } from '../topic/topic-identity.ts';
import type { AssignedPartition } from './assigned-partition.ts';

/**
 * Why records are missing or repeated: deleted by `retention`; the topic was recreated (`made_anew`); the partition was
 * `truncated`; the committed offset has `expired`.
 */
export type GapReason = 'retention' | 'made_anew' | 'truncated' | 'expired';

/** Offset to start reading at, and the gap before it. */
export interface StartOffset {
  readonly offset: bigint;
  /** Missing offsets, `from` (included) to `to` (excluded), if any; for `expired`, those that may be read again. */
  readonly gap: { readonly from: bigint; readonly to: bigint; readonly reason: GapReason } | undefined;
}

/** Start offset of a partition, with its last reader's note. */
export interface CommittedStart extends StartOffset {
  /** Note of the commit at `offset`; undefined when reading does not start at a commit. */
  readonly note: string | undefined;
}

/**
 * Chooses the start offset. kafkajs must not: it silently replaces an offset out of range.
 *
 * A committed offset below the oldest record means that retention overtook the reader. One above the end means, unless
 * the broker is just behind (`StaleAnswerGuard`), that the log was replaced or cut. If it starts at 0 and its topic is
 * not known to be the same, the topic was recreated and everything in it is unread. Otherwise records were lost, as in
 * an unclean leader election: those left were read, so reading continues at the end.
 */
export function startOffset(
  committed: bigint | undefined,
  { low, high }: OffsetBounds,
  isSameTopic = false,
): StartOffset {
  if (committed === undefined) return { offset: low, gap: undefined };
  if (committed < low) return { offset: low, gap: { from: committed, to: low, reason: 'retention' } };
  if (committed <= high) return { offset: committed, gap: undefined };
  if (low === 0n && !isSameTopic) return madeAnew(committed, { low, high });
  return { offset: high, gap: { from: high, to: committed, reason: 'truncated' } };
}

function madeAnew(committed: bigint, { low, high }: OffsetBounds): StartOffset {
  return {
    offset: low,
    gap: { from: high < committed ? high : committed, to: committed, reason: 'made_anew' },
  };
}

function forgotten({ low, high }: OffsetBounds): StartOffset {
  return { offset: low, gap: { from: low, to: high, reason: 'expired' } };
}

export interface StartQuestions {
  /** Source of partition bounds. */
  readonly admin: Pick<KafkaAdmin, 'offsetBounds' | 'freshOffsetBounds'>;
  /** Reads the commit from the group's coordinator; undefined: none. */
  readonly committed: (partition: AssignedPartition) => Promise<CommittedOffset | undefined>;
  readonly identity: Pick<TopicIdentity, 'look'>;
  readonly unlikely: StaleAnswerGuard;
  /** True if a partition without a commit was read before. */
  readonly forgotten?: ((partition: AssignedPartition, bounds: OffsetBounds) => Promise<boolean>) | undefined;
}

/** Finds start offsets for a group's partitions. Answers of brokers that may be behind must last before they count. */
export class StartOffsets {
  readonly #ask: StartQuestions;

  constructor(ask: StartQuestions) {
    this.#ask = ask;
  }

  /**
   * The committed offset, or the oldest record kept when there is none or it is gone.
   *
   * @throws RetryableError while an answer is unlikely, FatalKafkaError when there is no such partition
   */
  async of(partition: AssignedPartition): Promise<CommittedStart> {
    // Order matters: bounds, then commit, then identity. Commits are deleted with their topic, and the bounds may be
    // those of a new topic of the same name.
    const { admin, identity } = this.#ask;
    const { topic, partition: id } = partition;
    let bounds = (await admin.offsetBounds(topic, [id])).get(id);
    let committed = await this.#ask.committed(partition);
    if (!isLikely(bounds, committed)) {
      bounds = (await admin.freshOffsetBounds(topic, [id])).get(id);
      committed = await this.#ask.committed(partition);
    }
    const existing = this.#existing(partition, bounds);
    const marks = committed === undefined ? [] : [committed.mark];
    const { is } = await identity.look(partition, marks);
    if (is === 'another') {
      const before = committed?.offset ?? (partition.committedTo < 0n ? 0n : partition.committedTo);
      partition.committedTo = -1n;
      return { ...madeAnew(before, existing), note: undefined };
    }
    const isForgotten = this.#checkCommitted(partition, committed?.offset);
    this.#checkEnd(partition, existing, committed);
    if (committed === undefined && (isForgotten || (await this.#ask.forgotten?.(partition, existing))))
      return { ...forgotten(existing), note: undefined };
    const start = startOffset(committed?.offset, existing, is === 'same');
    return { ...start, note: start.offset === committed?.offset ? committed.metadata : undefined };
  }

  /**
   * Guards against a deposed coordinator, which answers with old commits.
   *
   * @returns true if less is committed than this process has committed, and that answer has lasted
   */
  #checkCommitted(partition: AssignedPartition, committed = -1n): boolean {
    const name = `${partition.topic}/${partition.partition}`;
    const subject = `${name} committed`;
    const { unlikely } = this.#ask;
    if (committed >= partition.committedTo) {
      unlikely.refuted(subject);
      return false;
    }
    const answer = committed < 0n ? 'nothing' : String(committed);
    unlikely.met(subject, `${name}: committed is ${answer}, and ${partition.committedTo} was before`);
    partition.committedTo = committed;
    return true;
  }

  #existing({ topic, partition }: AssignedPartition, bounds: OffsetBounds | undefined): OffsetBounds {
    const subject = `${topic}/${partition} exists`;
    if (bounds === undefined) {
      this.#ask.unlikely.met(subject, `topic ${topic} has no partition ${partition}`);
      throw new FatalKafkaError(
        `Topic ${topic} has no partition ${partition}. Was it deleted and created again?`,
      );
    }
    this.#ask.unlikely.refuted(subject);
    return bounds;
  }

  #checkEnd(
    { topic, partition }: AssignedPartition,
    bounds: OffsetBounds,
    committed: CommittedOffset | undefined,
  ): void {
    const name = `${topic}/${partition}`;
    const { unlikely } = this.#ask;
    if (isLikely(bounds, committed)) unlikely.refuted(`${name} end`);
    else unlikely.met(`${name} end`, `${name} ends at ${bounds.high}, and ${committed?.offset} is committed`);
  }
}

function isLikely(bounds: OffsetBounds | undefined, committed: CommittedOffset | undefined): boolean {
  return bounds !== undefined && bounds.high >= (committed?.offset ?? 0n);
}
