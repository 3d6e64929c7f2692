const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Parses an RFC 3339 time (section 5.6) into whole ms since the epoch, rounded down; undefined if it is invalid.
 *
 * Used for all times in text, in records and on the command line. Days and hours that do not exist are invalid
 * (`Date.parse` takes 30 February for 1 or 2 March). So is second 60: Unix time has no leap seconds, so it would equal
 * the second after it.
 */
export function rfc3339Ms(text: string): number | undefined {
  const match = RFC3339.exec(text);
  if (!match) return undefined;
  const [
    ,
    year,
    month,
    day,
    hour,
    minute,
    second,
    fraction = '',
    sign,
    offsetHour = '0',
    offsetMinute = '0',
  ] = match;
  const [h, m, s] = [Number(hour), Number(minute), Number(second)];
  const [oh, om] = [Number(offsetHour), Number(offsetMinute)];
  if (h > 23 || m > 59 || s > 59 || oh > 23 || om > 59) return undefined;
  const [y, month1, d] = [Number(year), Number(month), Number(day)];
  if (d < 1 || d > daysOf(y, month1)) return undefined;
  const date = new Date(0);
  // Not Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(y, month1 - 1, d);
  const minutes = h * 60 + m - (sign === '-' ? -1 : 1) * (oh * 60 + om);
  return date.getTime() + minutes * 60_000 + s * 1000 + Number(fraction.padEnd(3, '0').slice(0, 3));
}

/** Days in a month (1 … 12); 0 for a month that does not exist. */
function daysOf(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && isLeap ? 29 : (DAYS[month - 1] ?? 0);
}
