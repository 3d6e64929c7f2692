import { skipSpaces } from './byte-text.ts';
import { parseInt64 } from './number.ts';

/** Conversion of a precision's unit to ms: divide by, or multiply by. */
interface Unit {
  readonly divide?: number;
  readonly multiply?: number;
}

const UNITS: Readonly<Record<string, Unit>> = {
  ns: { divide: 1e6 },
  u: { divide: 1e3 },
  us: { divide: 1e3 },
  µ: { divide: 1e3 },
  ms: { divide: 1 },
  s: { multiply: 1e3 },
  m: { multiply: 60e3 },
  h: { multiply: 3600e3 },
};

/** Reads the timestamps of Influx lines, in ms. */
export class InfluxTime {
  readonly #trim: number;
  #receipt = 0;
  #unit: Unit | undefined;

  constructor(trimMs: number) {
    this.#trim = trimMs;
  }

  /** A record begins: its own time in ms, and the precision of its lines. */
  begin(receiptMs: number, precision: string): void {
    this.#unit = Object.hasOwn(UNITS, precision) ? UNITS[precision] : undefined;
    const multiply = this.#unit?.multiply ?? 1;
    this.#receipt = this.#trimmed(receiptMs - (receiptMs % multiply)) as number;
  }

  /**
   * The timestamp in `[start, end)`, after any spaces; the record's if there is none or it is 0. Undefined if it is not
   * a whole number, or does not fit 64 bits in ms: vmagent wraps around there, which makes up a time.
   */
  read(bytes: Buffer, start: number, end: number): number | bigint | undefined {
    if (start === end) return this.#receipt;
    const from = skipSpaces(bytes, start, end);
    if (from === end) return this.#receipt;
    const digits = end - from;
    // Fast path: nanoseconds of our time have 19 digits, too many for a double, and a bigint costs more than the rest
    // of the line. Division cuts the last six digits off. Its plain twin is the bigint below.
    if (digits === 19 && bytes[from] === 0x31 && (this.#unit === undefined || this.#unit.divide === 1e6)) {
      const ms = parseInt64(bytes, from, end - 6);
      const rest = parseInt64(bytes, end - 6, end);
      if (typeof ms === 'number' && typeof rest === 'number' && rest >= 0) return this.#trimmed(ms);
    }
    const timestamp = parseInt64(bytes, from, end);
    if (timestamp === undefined) return undefined;
    if (timestamp === 0) return this.#receipt;
    const ms = toMs(timestamp, this.#unit ?? unitBySize(timestamp));
    return ms === undefined ? undefined : this.#trimmed(ms);
  }

  #trimmed(ms: number | bigint): number | bigint {
    if (this.#trim <= 1) return ms;
    return typeof ms === 'bigint' ? ms - (ms % BigInt(this.#trim)) : ms - (ms % this.#trim);
  }
}

/** The unit by the size of the timestamp: today has 10 digits in s, 13 in ms, 16 in µs and 19 in ns. */
function unitBySize(timestamp: number | bigint): Unit {
  if (timestamp >= 1e17) return UNITS['ns']!;
  if (timestamp >= 1e14) return UNITS['u']!;
  if (timestamp >= 1e11) return UNITS['ms']!;
  return UNITS['s']!;
}

function toMs(timestamp: number | bigint, { divide = 1, multiply = 1 }: Unit): number | bigint | undefined {
  if (typeof timestamp === 'number') {
    const ms = multiply === 1 ? Math.trunc(timestamp / divide) : timestamp * multiply;
    if (Number.isSafeInteger(ms)) return ms + 0;
  }
  const ms = (BigInt(timestamp) * BigInt(multiply)) / BigInt(divide);
  if (ms !== BigInt.asIntN(64, ms)) return undefined;
  return ms >= Number.MIN_SAFE_INTEGER && ms <= Number.MAX_SAFE_INTEGER ? Number(ms) : ms;
}
