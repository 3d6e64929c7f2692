import { rfc3339Ms } from '../../model/rfc3339.ts';

/** Below this a number is seconds (until the year 5138), from here on milliseconds (since 1973). */
const SECONDS_BELOW = 1e11;
/** From here on a number is refused: it would be in microseconds or nanoseconds, which the format does not promise. */
const MS_BELOW = 1e14;

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * The time of a JSON sample in ms since the epoch; undefined if it is not a time.
 *
 * Text is RFC 3339 (fractions cut to ms) or a number. A number is Unix time: seconds, with any fraction, if its
 * absolute value is below 10^11, else milliseconds up to 10^14. So milliseconds before March 1973 are read as seconds.
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

/** Kind under which samples with time 0 are counted, which get the record's time. */
export const ZERO_TIME = 'zero_time';

/** Whether a time is the number 0, which means unset. RFC 3339 text of 1970 is not: somebody wrote it. */
export function isZero(value: unknown): boolean {
  if (typeof value === 'string') return NUMBER.test(value) && Number(value) === 0;
  return value === 0 || value === 0n;
}
