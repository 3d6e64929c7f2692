import type { StoredLetter } from '../../core/record/stored-letter.ts';
import type { LetterFilter } from './filter.ts';
import { matches } from './filter.ts';
import type { OffsetRanges } from './offset-ranges.ts';
import type { Unredrivable } from './redriven-record.ts';

/**
 * Verdict on a letter that no marker names. `not_meant`: the filter excludes it. `again`: it was redriven before and
 * has failed again.
 */
export type Verdict = 'redrive' | 'not_meant' | 'again' | Unredrivable;

export interface RedriveChoice {
  readonly filter: LetterFilter;
  /** Takes letters that have been redriven before, too. */
  readonly again: boolean;
  /** Why the letter cannot go back; undefined: it can. */
  readonly check: (letter: StoredLetter) => Unredrivable | undefined;
}

export function verdictOn(letter: StoredLetter, { filter, again, check }: RedriveChoice): Verdict {
  if (!matches(filter, letter)) return 'not_meant';
  if (letter.redriven > 0 && !again) return 'again';
  return check(letter) ?? 'redrive';
}

/** Plan of a redrive for one partition. */
export interface PartitionPlan {
  /** Offsets to redrive, ascending. */
  readonly take: readonly bigint[];
  /** Offset of the first letter that is left; `end` if none is. */
  readonly firstLeft: bigint;
  /** Offset at which the plan ends, excluded. */
  readonly end: bigint;
}

/** Letters that the filter selects and that are not redriven yet, by verdict. */
export interface RedriveCounts {
  readonly redrive: number;
  readonly failedAgain: number;
  readonly unredrivable: ReadonlyMap<Unredrivable, number>;
}

/**
 * Collects the letters of the dead-letter topic with their verdicts until the topic is read: the marker that says a
 * letter was redriven comes after it. Keeps a few bytes per letter.
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
   * @param redriven offsets that markers name, by partition
   * @param ends offset at which the plan of each partition ends, excluded
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
