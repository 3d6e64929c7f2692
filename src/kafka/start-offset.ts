import type { KafkaAdmin, OffsetBounds } from './admin.ts';
import type { AssignedPartition } from './assigned-partition.ts';
import { KafkaSetupError } from './errors.ts';
import type { UnlikelyAnswers } from './unlikely-answers.ts';

/** Why records are missing. `retention` took them; the topic was `made_anew`; the partition was `truncated`. */
export type GapReason = 'retention' | 'made_anew' | 'truncated';

/** Where to begin reading, and what is missing before it. */
export interface StartOffset {
  readonly offset: bigint;
  /** Offsets `from` (included) to `to` (not included) that are gone, if any. */
  readonly gap: { readonly from: bigint; readonly to: bigint; readonly reason: GapReason } | undefined;
}

/** Where a partition is read from, and what its last reader noted there. */
export interface CommittedStart extends StartOffset {
  /** Of the commit at `offset`; undefined when reading does not begin at one. */
  readonly note: string | undefined;
}

/** What a group has committed for a partition. */
export interface CommittedOffset {
  readonly offset: bigint;
  /** Kept beside the offset. */
  readonly metadata: string;
}

/**
 * Decides where to begin. Never lets kafkajs decide: it replaces an offset out of range in silence.
 *
 * A committed offset below the oldest record kept means that retention was faster than the reader. One above the end
 * means, if the broker is not just behind (`UnlikelyAnswers`), that the partition is another one than it was. Where it
 * has all records from 0 on, the topic was made anew, and everything in it is unread. Else records were lost, as in an
 * unclean leader election: what is left of them was read, so reading goes on at the end.
 */
export function startOffset(committed: bigint | undefined, { low, high }: OffsetBounds): StartOffset {
  if (committed === undefined) return { offset: low, gap: undefined };
  if (committed < low) return { offset: low, gap: { from: committed, to: low, reason: 'retention' } };
  if (committed <= high) return { offset: committed, gap: undefined };
  if (low === 0n) return { offset: low, gap: { from: high, to: committed, reason: 'made_anew' } };
  return { offset: high, gap: { from: high, to: committed, reason: 'truncated' } };
}

/** Where the ends of partitions are asked for. */
type Bounds = Pick<KafkaAdmin, 'offsetBounds' | 'freshOffsetBounds'>;

/** Asks a group where to begin with its partitions. What only a broker that is behind says is not acted upon. */
export class StartOffsets {
  readonly #admin: Bounds;
  readonly #committed: (partition: AssignedPartition) => Promise<CommittedOffset | undefined>;
  readonly #unlikely: UnlikelyAnswers;

  /** @param committed asks the group's coordinator; undefined where nothing was committed */
  constructor(
    admin: Bounds,
    committed: (partition: AssignedPartition) => Promise<CommittedOffset | undefined>,
    unlikely: UnlikelyAnswers,
  ) {
    this.#admin = admin;
    this.#committed = committed;
    this.#unlikely = unlikely;
  }

  /**
   * The committed offset, or the oldest record kept when there is none or it is gone.
   *
   * @throws RetryableError while an answer is unlikely, KafkaSetupError when there is no such partition
   */
  async of(partition: AssignedPartition): Promise<CommittedStart> {
    // In this order: what was committed for a topic that is deleted goes with it, and the ends may be those of the
    // topic that has its name now.
    const { topic, partition: id } = partition;
    let bounds = (await this.#admin.offsetBounds(topic)).get(id);
    let committed = await this.#committed(partition);
    if (!isLikely(bounds, committed)) {
      bounds = (await this.#admin.freshOffsetBounds(topic)).get(id);
      committed = await this.#committed(partition);
    }
    this.#checkCommitted(partition, committed?.offset);
    const start = startOffset(committed?.offset, this.#checked(partition, bounds, committed));
    return { ...start, note: start.offset === committed?.offset ? committed.metadata : undefined };
  }

  /** A coordinator that others have taken over from, and that has not heard of it, answers with what was committed then. */
  #checkCommitted(partition: AssignedPartition, committed = -1n): void {
    const name = `${partition.topic}/${partition.partition}`;
    const subject = `${name} committed`;
    if (committed >= partition.committedTo) {
      this.#unlikely.refuted(subject);
      return;
    }
    const answer = committed < 0n ? 'nothing' : String(committed);
    this.#unlikely.met(subject, `${name}: committed is ${answer}, and ${partition.committedTo} was before`);
    partition.committedTo = committed;
  }

  #checked(
    { topic, partition }: AssignedPartition,
    bounds: OffsetBounds | undefined,
    committed: CommittedOffset | undefined,
  ): OffsetBounds {
    const name = `${topic}/${partition}`;
    if (bounds === undefined) {
      this.#unlikely.met(`${name} exists`, `topic ${topic} has no partition ${partition}`);
      throw new KafkaSetupError(
        `Topic ${topic} has no partition ${partition}. Was it deleted and made anew?`,
      );
    }
    this.#unlikely.refuted(`${name} exists`);
    if (isLikely(bounds, committed)) this.#unlikely.refuted(`${name} end`);
    else {
      this.#unlikely.met(
        `${name} end`,
        `${name} ends at ${bounds.high}, and ${committed?.offset} is committed`,
      );
    }
    return bounds;
  }
}

function isLikely(bounds: OffsetBounds | undefined, committed: CommittedOffset | undefined): boolean {
  return bounds !== undefined && bounds.high >= (committed?.offset ?? 0n);
}
