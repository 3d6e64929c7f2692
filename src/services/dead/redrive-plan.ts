import type { StoredLetter } from '../../core/record/stored-letter.ts';
import type { LetterFilter } from './filter.ts';
import { matches } from './filter.ts';
import type { OffsetRanges } from './offset-ranges.ts';
import type { Unredrivable } from './redriven-record.ts';

/** What becomes of a letter that no marker names. `again`: it was redriven before and has failed again. */
export type Verdict = 'redrive' | 'not_meant' | 'again' | Unredrivable;

export interface RedriveChoice {
  readonly filter: LetterFilter;
  /** Takes letters that have been redriven before, too. */
  readonly again: boolean;
  /** Whether the letter can go back at all. */
  readonly check: (letter: StoredLetter) => Unredrivable | undefined;
}

export function verdictOn(letter: StoredLetter, { filter, again, check }: RedriveChoice): Verdict {
  if (!matches(filter, letter)) return 'not_meant';
  if (letter.redriven > 0 && !again) return 'again';
  return check(letter) ?? 'redrive';
}

/** What a redrive will do with one partition. */
export interface PartitionPlan {
  /** Offsets to redrive, ascending. */
  readonly take: readonly bigint[];
  /** First offset of a letter that stays undone; `end` where there is none. */
  readonly firstLeft: bigint;
  /** The offset that the plan reaches to. */
  readonly end: bigint;
}

/** Letters that are meant and not redriven yet, by what becomes of them. */
export interface RedriveCounts {
  readonly redrive: number;
  readonly failedAgain: number;
  readonly unredrivable: ReadonlyMap<Unredrivable, number>;
}

/**
 * The letters of the dead-letter topic with their verdicts, until it is known which of them are redriven already: the
 * marker that says so comes behind the letter. It keeps a few bytes a letter.
 */
export class RedrivePlan {
  readonly #letters = new Map<number, { readonly offsets: number[]; readonly verdicts: Verdict[] }>();

  add(partition: number, offset: bigint, verdict: Verdict): void {
    let letters = this.#letters.get(partition);
    if (letters === undefined) this.#letters.set(partition, (letters = { offsets: [], verdicts: [] }));
    letters.offsets.push(Number(offset));
    letters.verdicts.push(verdict);
  }

  /**
   * @param redriven what markers name, by partition
   * @param ends where each partition was read to
   * @param limit most letters to redrive; the first ones are
   */
  finish(
    redriven: ReadonlyMap<number, OffsetRanges>,
    ends: ReadonlyMap<number, bigint>,
    limit: number,
  ): { partitions: Map<number, PartitionPlan>; counts: RedriveCounts } {
    const partitions = new Map<number, PartitionPlan>();
    const unredrivable = new Map<Unredrivable, number>();
    const counts = { redrive: 0, failedAgain: 0, unredrivable };
    for (const [partition, end] of ends) {
      const { offsets, verdicts } = this.#letters.get(partition) ?? { offsets: [], verdicts: [] };
      const take: bigint[] = [];
      let firstLeft = end;
      for (const [at, number] of offsets.entries()) {
        const offset = BigInt(number);
        const verdict = verdicts[at]!;
        if (redriven.get(partition)?.has(offset)) continue;
        if (verdict === 'redrive' && counts.redrive < limit) {
          take.push(offset);
          counts.redrive += 1;
          continue;
        }
        if (offset < firstLeft) firstLeft = offset;
        if (verdict === 'again') counts.failedAgain += 1;
        else if (verdict !== 'not_meant' && verdict !== 'redrive')
          unredrivable.set(verdict, (unredrivable.get(verdict) ?? 0) + 1);
      }
      partitions.set(partition, { take, firstLeft, end });
    }
    return { partitions, counts };
  }
}
