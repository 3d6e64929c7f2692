import type { StoredLetter } from '../../core/record/stored-letter.ts';

/** Selects dead letters. Criteria that are empty or absent let all pass. */
export interface LetterFilter {
  /** Time at which the letter was written, in ms since the epoch: `fromMs` included, `toMs` not. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly reasons: readonly string[];
  readonly stages: readonly string[];
}

export function matches({ fromMs, toMs, reasons, stages }: LetterFilter, letter: StoredLetter): boolean {
  const { timestamp } = letter.record;
  return (
    (fromMs === undefined || timestamp >= fromMs) &&
    (toMs === undefined || timestamp < toMs) &&
    (reasons.length === 0 || reasons.includes(letter.reason)) &&
    (stages.length === 0 || stages.includes(letter.stage))
  );
}
