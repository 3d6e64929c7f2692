import { PoisonError } from '../model/errors.ts';

/** The limits of a budget, from `worker.limits`; 0 is no limit. */
export interface BudgetLimits {
  readonly series_per_record: number;
  /** Most parts of a record that are set aside; a record with more is one dead letter as a whole. */
  readonly faults_per_record: number;
  /** CPU time that a record may take, in ms per MiB of it as received. */
  readonly record_time: number;
}

/** Units of work between two looks at the clock: about 100 µs of series or lines. */
const UNITS_A_LOOK = 256;
const MIB = 1024 * 1024;
/** Upper bound of a record's time, in multiples of `record_time`, however large it is: heartbeats wait meanwhile. */
const MOST_MIB = 5;

/**
 * Limits the cost of reading one record: CPU time, faults and series. One instance per record.
 *
 * CPU time of the thread, not wall time: a frozen process or a busy machine must not make a sound record a dead letter.
 */
export class RecordBudget {
  readonly #limits: BudgetLimits;
  readonly #clock: () => number;
  readonly #ms: number;
  #endMs: number;
  #units = UNITS_A_LOOK;
  #faults = 0;
  #series = 0;
  #exceeded: PoisonError | undefined;

  /**
   * @param wireBytes size of the record as received; its time is `record_time` for each MiB of it, one at least
   * @param clock CPU time of this thread in ms
   */
  constructor(limits: BudgetLimits, wireBytes: number, clock = threadCpuMs) {
    this.#limits = limits;
    this.#clock = clock;
    this.#ms = limits.record_time * Math.min(MOST_MIB, Math.max(1, wireBytes / MIB));
    this.#endMs = limits.record_time === 0 ? Number.POSITIVE_INFINITY : clock() + this.#ms;
  }

  /**
   * Call in every loop whose length a sender chooses: series, lines, elements, buckets. Cheap.
   *
   * @param units cost of this iteration; 1 is about 0.5 µs
   * @throws PoisonError `decode`, `too_slow`
   */
  spend(units = 1): void {
    this.#units -= units;
    if (this.#units <= 0) this.#look();
  }

  /** Excludes CPU time, in ms, that was used for something else meanwhile. */
  exclude(ms: number): void {
    this.#endMs += ms;
  }

  /** The limit that was exceeded, after which no more of the record may be read; undefined: none. */
  get exceeded(): PoisonError | undefined {
    return this.#exceeded;
  }

  /** Counts a part that is set aside. @throws PoisonError `decode`, `too_many_faults` */
  fault(): void {
    const error = this.countFault();
    if (error !== undefined) throw error;
  }

  /** As `fault`, but returns the error, for callers that must finish their work first. */
  countFault(): PoisonError | undefined {
    const most = this.#limits.faults_per_record;
    if (++this.#faults <= most || most === 0) return undefined;
    return this.#exceed(
      'too_many_faults',
      `more than ${most} parts of the record cannot be used (worker.limits.faults_per_record)`,
    );
  }

  /** Counts series that a decoder makes. @throws PoisonError `decode`, `too_many_series` */
  series(count = 1): void {
    this.#series += count;
    const most = this.#limits.series_per_record;
    if (this.#series <= most || most === 0) return;
    throw this.#exceed(
      'too_many_series',
      `the record has more than ${most} series (worker.limits.series_per_record)`,
    );
  }

  #look(): void {
    this.#units = UNITS_A_LOOK;
    if (this.#clock() <= this.#endMs) return;
    throw this.#exceed(
      'too_slow',
      `the record takes more than ${Math.round(this.#ms)} ms of CPU time (worker.limits.record_time)`,
    );
  }

  #exceed(reason: string, message: string): PoisonError {
    this.#exceeded = new PoisonError('decode', reason, message);
    return this.#exceeded;
  }
}

/** CPU time that this thread has used, in ms. */
export function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Reasons that refuse the whole record: none of its parts alone is at fault. */
const OF_THE_RECORD: readonly string[] = [
  'record_too_large',
  'too_slow',
  'too_many_faults',
  'too_many_series',
];

/** Whether an error from reading a part of a record concerns the whole record. */
export function refusesRecord(error: PoisonError): boolean {
  return OF_THE_RECORD.includes(error.reason);
}
