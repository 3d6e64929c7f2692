import { rfc3339Ms } from '../../model/rfc3339.ts';

/** Below this a number is seconds (until the year 5138), from here on milliseconds (since 1973). */
const SECONDS_BELOW = 1e11;
/** Beyond this a number is neither: microseconds or nanoseconds, of which nobody promised anything. */
const MS_BELOW = 1e14;

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * The time of a JSON sample in ms since the epoch; undefined where it is none.
 *
 * Text is RFC 3339 (fractions cut to ms) or a number. A number is Unix time: seconds, with any fraction, where it is
 * below 10^11 either way of 0, milliseconds up to 10^14. So milliseconds before March 1973 cannot be told from seconds.
 */
export function jsonTimeMs(value: unknown): number | undefined {
  if (typeof value === 'number') return unixMs(value);
  if (typeof value !== 'string') return undefined;
  return NUMBER.test(value) ? unixMs(Number(value)) : rfc3339Ms(value);
}

function unixMs(number: number): number | undefined {
  const size = Math.abs(number);
  if (size < SECONDS_BELOW) return Math.round(number * 1000);
  return size < MS_BELOW ? Math.trunc(number) : undefined;
}

/** Counts samples whose time is 0, for which the record's stands. */
export const ZERO_TIME = 'zero_time';

/** A number that is 0, which is what a time is that nobody has set; 1970 as text somebody has written. */
export function isZero(value: unknown): boolean {
  if (typeof value === 'string') return NUMBER.test(value) && Number(value) === 0;
  return value === 0 || value === 0n;
}
