import { rfc3339Ms } from '../../core/model/rfc3339.ts';
import type { StoredLetter } from '../../core/record/stored-letter.ts';

/** Which dead letters are meant; what is empty or absent lets all pass. */
export interface LetterFilter {
  /** Times in ms since the epoch at which the letter was written: from included, to not. */
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
/** A day, or RFC 3339 without seconds: parts that may be left out on the command line. */
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const WITHOUT_SECONDS = /^(\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2})([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * `2026-11-22T10:00:00Z`, or `-6h`: so long before now. A date alone is its beginning in UTC. In ms since the epoch;
 * undefined where it is neither.
 */
export function parseTime(text: string, nowMs: number): number | undefined {
  const [, number, unit = ''] = RELATIVE.exec(text) ?? [];
  if (number !== undefined) return Math.round(nowMs - Number(number) * UNITS[unit]!);
  if (DAY.test(text)) return rfc3339Ms(`${text}T00:00:00Z`);
  return rfc3339Ms(text.replace(WITHOUT_SECONDS, '$1:00$2'));
}
