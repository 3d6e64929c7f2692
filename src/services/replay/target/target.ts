import { ConfigError } from '../../../core/model/errors.ts';
import type { FetchedRecord } from '../../../io/kafka/partition-queue.ts';

/** The target is not a usable one and has taken nothing: retries cannot help. */
export class WrongTargetError extends ConfigError {}

/** Records of one source partition, in order of their offsets, without gaps in what was selected. */
export interface ReplayChunk {
  readonly partition: number;
  readonly records: readonly FetchedRecord[];
}

/** A step of a replay: at most one chunk a partition. */
export interface ReplayStep {
  readonly chunks: readonly ReplayChunk[];
  /** Next offset, by partition, once the chunks are at the target. */
  readonly positions: ReadonlyMap<number, bigint>;
}

/** Counts of a step. */
export interface ReplayCounts {
  /** Records that were read. */
  readonly records: number;
  /** Samples that were written. */
  readonly samples: number;
  /** Samples that were left out: by `--match`, `--sample` or the time range, or by the route's selectors and rules. */
  readonly leftOut: number;
  /** Records and series that could not be used, by reason. They stay in the source topic. */
  readonly refused: ReadonlyMap<string, number>;
}

/** Counts while a step is written. */
export class Tally implements ReplayCounts {
  records = 0;
  samples = 0;
  leftOut = 0;
  readonly refused = new Map<string, number>();

  refuse(reason: string, count = 1): void {
    if (count > 0) this.refused.set(reason, (this.refused.get(reason) ?? 0) + count);
  }

  /** Adds what a record or a step is not written of. */
  leave({ leftOut, refused }: Pick<ReplayCounts, 'leftOut' | 'refused'>): void {
    this.leftOut += leftOut;
    for (const [reason, count] of refused) this.refuse(reason, count);
  }

  add(counts: ReplayCounts): this {
    this.records += counts.records;
    this.samples += counts.samples;
    this.leave(counts);
    return this;
  }
}

/**
 * Where a replay goes: a task topic, storage, a file, or nowhere (a dry run).
 *
 * After `write` has thrown it is unknown what was written. The target is then closed and opened again, and the replay
 * resumes from the stored positions.
 */
export interface ReplayTarget {
  /**
   * Writes a step and then stores its positions: into Kafka in one transaction, else after all of it is accepted.
   * Records of one partition are written in order.
   */
  write(step: ReplayStep): Promise<ReplayCounts>;
  close?(): Promise<void>;
}
