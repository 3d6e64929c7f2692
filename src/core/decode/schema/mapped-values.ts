import { rfc3339Ms } from '../../model/rfc3339.ts';
import { wholePart } from '../text/whole-part.ts';
import { Instant } from './instant.ts';
import { isObject, type TimestampUnit } from './mapping.ts';

const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;
const NOT_FINITE = /^([+-]?)(inf|infinity|nan)$/i;
const DIGITS_TO_MS = { s: 3, ms: 0, us: -3, ns: -6 } as const;
/** The largest time of JavaScript's Date, in ms. Larger values are not times. */
const LATEST_MS = 8.64e15;

/** A sample's value: a number, or text of one, since JSON has no other form for NaN or infinity. */
export function sampleValue(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Instant) return Number(value.count);
  if (typeof value !== 'string') return undefined;
  if (DECIMAL.test(value)) return Number(value);
  const [, sign, word] = NOT_FINITE.exec(value) ?? [];
  if (word === undefined) return undefined;
  if (word.toLowerCase() === 'nan') return Number.NaN;
  return sign === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** The text of a label; undefined for values without one, such as objects. */
export function labelText(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
      // JavaScript writes -0 as 0.
      return Object.is(value, -0) ? '-0' : String(value);
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      return value instanceof Instant ? String(value.count) : undefined;
  }
}

/**
 * A time in whole ms since the epoch, rounded down. An `Instant` and Protobuf's Timestamp (`seconds` and `nanos`) are
 * accepted whatever the unit.
 */
export function timestampMs(value: unknown, unit: TimestampUnit): number | undefined {
  const ms = readTimestamp(value, unit);
  return ms !== undefined && Math.abs(ms) <= LATEST_MS ? ms : undefined;
}

function readTimestamp(value: unknown, unit: TimestampUnit): number | undefined {
  if (value instanceof Instant) return value.ms;
  if (isObject(value)) {
    const { seconds, nanos = 0 } = value;
    if (!isInteger(seconds) || typeof nanos !== 'number') return undefined;
    return Number(seconds) * 1000 + Math.floor(nanos / 1e6);
  }
  if (unit === 'rfc3339') return typeof value === 'string' ? rfc3339Ms(value) : undefined;
  if (typeof value === 'string') {
    const ms = wholePart(value, DIGITS_TO_MS[unit]);
    return ms && Number(ms.floor);
  }
  if (typeof value === 'bigint') return fromInteger(value, unit);
  return typeof value === 'number' && Number.isFinite(value) ? fromNumber(value, unit) : undefined;
}

function isInteger(value: unknown): value is number | bigint {
  return typeof value === 'bigint' || Number.isInteger(value);
}

function fromInteger(value: bigint, unit: Exclude<TimestampUnit, 'rfc3339'>): number {
  if (unit === 's') return Number(value * 1000n);
  const divisor = unit === 'ms' ? 1n : unit === 'us' ? 1000n : 1_000_000n;
  const quotient = value / divisor;
  return Number(value < 0n && quotient * divisor !== value ? quotient - 1n : quotient);
}

function fromNumber(value: number, unit: Exclude<TimestampUnit, 'rfc3339'>): number {
  // 1.001 s is 1000.9999999999999 ms in doubles, and a whole ms must not become the one before.
  if (unit === 's') return Math.floor(value * 1000 + 0.005);
  if (unit === 'ms') return Math.floor(value);
  if (unit === 'us') return Math.floor(value / 1000);
  // A double of so many ns is some hundred ns off.
  const slack = Number.isSafeInteger(value) ? 0 : 2000;
  return Math.floor((value + slack) / 1e6);
}
