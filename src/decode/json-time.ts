/** Below this a number is seconds (until the year 5138), from here on milliseconds (since 1973). */
const SECONDS_BELOW = 1e11;
/** Beyond this a number is neither: microseconds or nanoseconds, of which nobody promised anything. */
const MS_BELOW = 1e14;

const RFC_3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * The time of a JSON sample in ms since the epoch; undefined where it is none.
 *
 * Text is RFC 3339 (fractions cut to ms) or a number. A number is Unix time: seconds, with any fraction, where it is
 * below 10^11 either way of 0, milliseconds up to 10^14. So milliseconds before March 1973 cannot be told from seconds.
 */
export function jsonTimeMs(value: unknown): number | undefined {
  if (typeof value === 'number') return unixMs(value);
  if (typeof value !== 'string') return undefined;
  if (NUMBER.test(value)) return unixMs(Number(value));
  const match = RFC_3339.exec(value);
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [, , , , , , , fraction = '', sign, offsetHours = '0', offsetMinutes = '0'] = match;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // A day that its month does not have would be taken as one of the next. Second 60 is a leap second.
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const offset = Number(offsetHours) * 60 + Number(offsetMinutes);
  if (hour > 23 || minute > 59 || second > 60 || offset > 24 * 60) return undefined;
  const seconds = (hour * 60 + minute - (sign === '-' ? -offset : offset)) * 60 + second;
  return date.getTime() + seconds * 1000 + Number(fraction.padEnd(3, '0').slice(0, 3));
}

function unixMs(number: number): number | undefined {
  const size = Math.abs(number);
  if (size < SECONDS_BELOW) return Math.round(number * 1000);
  return size < MS_BELOW ? Math.trunc(number) : undefined;
}
