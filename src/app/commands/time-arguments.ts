import { duration } from '../../core/options/types.ts';
import { parseTime } from '../../services/dead/filter.ts';
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

/** The value of an option that takes a time, in ms since the epoch. @throws ConfigError if it is not a time */
export function timeArgument(command: string, option: string, text: string, nowMs: number): number {
  const found = parseTime(text, nowMs);
  if (found !== undefined) return found;
  throw usageError(
    command,
    `--${option} ${text}: expected a time such as 2026-11-22T10:00:00Z, or -6h for six hours ago`,
  );
}

/** The value of an option that takes a duration, in ms; 0 is allowed. @throws ConfigError if it is not a duration */
export function durationArgument(command: string, option: string, text: string): number {
  const parsed = duration({ min: 0 }).safeParse(/^\d+$/.test(text) ? Number(text) : text);
  if (parsed.success) return parsed.data;
  throw usageError(command, `--${option} ${text}: expected a duration such as 500ms, 10s or 1m`);
}
