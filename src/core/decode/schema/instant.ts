/** Days, seconds, milliseconds, microseconds, nanoseconds. */
export type InstantUnit = 'd' | 's' | 'ms' | 'us' | 'ns';

const NS = 1_000_000_000n;
const UNIT_NS: Readonly<Record<InstantUnit, bigint>> = {
  d: 86_400n * NS,
  s: NS,
  ms: 1_000_000n,
  us: 1000n,
  ns: 1n,
};

/** A time since the epoch in a unit that the schema says, so that the mapping need not. */
export class Instant {
  readonly count: number | bigint;
  readonly unit: InstantUnit;

  constructor(count: number | bigint, unit: InstantUnit) {
    this.count = count;
    this.unit = unit;
  }

  /** Whole milliseconds since the epoch, rounded down. */
  get ms(): number {
    if (this.unit === 'ms') return Number(this.count);
    return Number(floorDivide(this.#ns(), UNIT_NS.ms));
  }

  /** The form of Protobuf's Timestamp, which a mapping accepts as a time whatever its unit. */
  toJSON(): { seconds: number; nanos: number } {
    const ns = this.#ns();
    const seconds = floorDivide(ns, NS);
    return { seconds: Number(seconds), nanos: Number(ns - seconds * NS) };
  }

  #ns(): bigint {
    return BigInt(this.count) * UNIT_NS[this.unit];
  }
}

function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value < 0n && quotient * divisor !== value ? quotient - 1n : quotient;
}
