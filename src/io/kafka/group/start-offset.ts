import type { CommittedOffset, KafkaAdmin, OffsetBounds } from '../admin/admin.ts';
import { FatalKafkaError } from '../errors.ts';
import type { StaleAnswerGuard } from '../stale-answer-guard.ts';
import type { TopicIdentity } from '../topic/topic-identity.ts';
import type { AssignedPartition } from './assigned-partition.ts';

/**
 * Why records are missing, or come again. `retention` took them; the topic was `made_anew`; the partition was `truncated`;
 * what was committed has `expired`.
 */
export type GapReason = 'retention' | 'made_anew' | 'truncated' | 'expired';

/** Where to begin reading, and what is missing before it. */
export interface StartOffset {
  readonly offset: bigint;
  /** Offsets `from` (included) to `to` (not included) that are gone, if any; of `expired` those that may come again. */
  readonly gap: { readonly from: bigint; readonly to: bigint; readonly reason: GapReason } | undefined;
}

/** Where a partition is read from, and what its last reader noted there. */
export interface CommittedStart extends StartOffset {
  /** Of the commit at `offset`; undefined when reading does not begin at one. */
  readonly note: string | undefined;
}

/**
 * Decides where to begin. Never lets kafkajs decide: it replaces an offset out of range in silence.
 *
 * A committed offset below the oldest record kept means that retention was faster than the reader. One above the end
 * means, if the broker is not just behind (`StaleAnswerGuard`), that the partition is another one than it was. Where it
 * has all records from 0 on, and its topic is not known to be the same, the topic was created again, and everything in it is
 * unread. Else records were lost, as in an unclean leader election: what is left of them was read, so reading goes on at
 * the end.
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
  /** Where the ends of partitions are asked for. */
  readonly admin: Pick<KafkaAdmin, 'offsetBounds' | 'freshOffsetBounds'>;
  /** Asks the group's coordinator; undefined where nothing was committed. */
  readonly committed: (partition: AssignedPartition) => Promise<CommittedOffset | undefined>;
  readonly identity: Pick<TopicIdentity, 'look'>;
  readonly unlikely: StaleAnswerGuard;
  /** Whether a partition without a commit was read before. */
  readonly forgotten?: ((partition: AssignedPartition, bounds: OffsetBounds) => Promise<boolean>) | undefined;
}

/** Asks a group where to begin with its partitions. What only a broker that is behind says is not acted upon. */
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
    // In this order: what was committed for a topic that is deleted goes with it, and the ends may be those of the
    // topic that has its name now.
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
   * A coordinator that others have taken over from, and that has not heard of it, answers with what was committed then.
   *
   * @returns whether less is committed than this process has committed
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
