import { rfc3339Ms } from '../../core/model/rfc3339.ts';
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

const RELATIVE = /^-?(\d+(?:\.\d+)?)(s|m|h|d)$/;
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Short forms that the command line takes: a day alone, and RFC 3339 without seconds. */
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const WITHOUT_SECONDS = /^(\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2})([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * Parses `2026-11-22T10:00:00Z`, a date (its start in UTC) or an age such as `-6h` into ms since the epoch. Undefined
 * for anything else.
 */
export function parseTime(text: string, nowMs: number): number | undefined {
  const [, number, unit = ''] = RELATIVE.exec(text) ?? [];
  if (number !== undefined) return Math.round(nowMs - Number(number) * UNITS[unit]!);
  if (DAY.test(text)) return rfc3339Ms(`${text}T00:00:00Z`);
  return rfc3339Ms(text.replace(WITHOUT_SECONDS, '$1:00$2'));
}
