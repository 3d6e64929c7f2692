import { rfc3339Ms } from '../../core/model/rfc3339.ts';
import { duration } from '../../core/options/types.ts';
import { usageError } from './command.ts';

/** `--from -6h` as `--from=-6h`: parseArgs takes a value with a dash for an option. */
export function joinTimes(argv: readonly string[]): string[] {
  return joinDashed(argv, ['--from', '--to']);
}

/** The same for other options whose values may begin with a dash and a digit. */
export function joinDashed(argv: readonly string[], options: readonly string[]): string[] {
  const joined: string[] = [];
  for (const argument of argv) {
    const before = joined.at(-1);
    if (before !== undefined && options.includes(before) && /^-\d/.test(argument))
      joined.splice(-1, 1, `${before}=${argument}`);
    else joined.push(argument);
  }
  return joined;
}

const AGE = /^-(\d+(?:\.\d+)?)(s|m|h|d)$/;
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Short forms that the command line takes: a day alone, and RFC 3339 without seconds. */
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const WITHOUT_SECONDS = /^(\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2})([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * Parses `2026-11-22T10:00:00Z`, a date (its start in UTC) or an age such as `-6h` into ms since the epoch. Undefined
 * for anything else; an age without its minus could be meant as a time to come.
 */
export function parseTime(text: string, nowMs: number): number | undefined {
  const [, number, unit = ''] = AGE.exec(text) ?? [];
  if (number !== undefined) return Math.round(nowMs - Number(number) * UNITS[unit]!);
  if (DAY.test(text)) return rfc3339Ms(`${text}T00:00:00Z`);
  return rfc3339Ms(text.replace(WITHOUT_SECONDS, '$1:00$2'));
}

/** The value of an option that takes a time, in ms since the epoch. @throws ConfigError if it is not a time */
export function timeArgument(command: string, option: string, text: string, nowMs: number): number {
  const found = parseTime(text, nowMs);
  if (found !== undefined) return found;
  const meant = AGE.test(`-${text}`) ? `an age has a minus: did you mean -${text}?` : undefined;
  throw usageError(
    command,
    `--${option} ${text}: ${meant ?? 'expected a time such as 2026-11-22T10:00:00Z, a day such as 2026-11-22, or -6h for six hours ago'}`,
  );
}

/** The value of an option that takes a duration, in ms; 0 is allowed. @throws ConfigError if it is not a duration */
export function durationArgument(command: string, option: string, text: string): number {
  const parsed = duration({ min: 0 }).safeParse(/^\d+$/.test(text) ? Number(text) : text);
  if (parsed.success) return parsed.data;
  throw usageError(command, `--${option} ${text}: expected a duration such as 500ms, 10s or 1m`);
}

/** The value of an option that takes a whole number from `least`. @throws ConfigError if it is none */
export function numberArgument(
  command: string,
  option: string,
  text: string | undefined,
  least: number,
): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text) && Number(text) >= least) return Number(text);
  throw usageError(command, `--${option} ${text}: expected a whole number from ${least}`);
}

/** The value of --on-corrupt-batch. @throws ConfigError for any other */
export function corruptArgument(command: string, policy = 'stop'): 'stop' | 'skip' {
  if (policy === 'stop' || policy === 'skip') return policy;
  throw usageError(command, `--on-corrupt-batch ${policy}: expected stop or skip`);
}
