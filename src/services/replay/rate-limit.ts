/** Most bytes of records in a step, the unit that is written and then stored in the journal. */
const STEP_BYTES = 4 * 1024 * 1024;
/** Most records of a step: kafkajs' cost of a send grows with the square of its records. */
const STEP_RECORDS = 5_000;
/** Once there is something to do, how long a step waits for more, in ms. */
const LINGER_MS = 200;
/** With a rate, a step takes what may be written in this time, in seconds. */
const RATED_STEP_SECONDS = 0.2;
/**
 * A step that begins late by up to this, in ms, is made up for: timers and transactions are. A longer delay is a pause.
 */
const LATE_MS = 500;
/** Weight of the newest step in the moving average of bytes per sample. */
const NEWEST_WEIGHT = 0.3;

export interface StepLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly lingerMs: number;
}

/**
 * Limits a replay to `rate` samples a second, in small steps, and to none while the live flow lags. Times by
 * `monotonicMs`.
 */
export class RateLimit {
  readonly #rate: number | undefined;
  /** Earliest time of the next step. */
  #nextMs = Number.NEGATIVE_INFINITY;
  /** Bytes of the source per written sample; undefined before the first. */
  #bytesPerSample: number | undefined;
  /** Whether the live flow lags too far behind. */
  yielding = false;

  /** @param rate samples a second; undefined: as fast as it goes */
  constructor(rate?: number) {
    this.#rate = rate;
  }

  /** Time until the next step may begin, in ms; infinite while it yields. */
  waitMs(nowMs: number): number {
    if (this.yielding) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.#nextMs - nowMs);
  }

  get limits(): StepLimits {
    const all = { maxRecords: STEP_RECORDS, maxBytes: STEP_BYTES, lingerMs: LINGER_MS };
    if (this.#rate === undefined) return all;
    if (this.#bytesPerSample === undefined) return { maxRecords: 1, maxBytes: 1, lingerMs: 0 };
    const maxBytes = this.#rate * RATED_STEP_SECONDS * this.#bytesPerSample;
    return { ...all, maxBytes: Math.max(1, Math.min(STEP_BYTES, Math.ceil(maxBytes))) };
  }

  /** A step is written: `bytes` of the source, begun at `begunMs`. */
  spent(bytes: number, samples: number, begunMs: number): void {
    if (this.#rate === undefined) return;
    const due = begunMs - this.#nextMs > LATE_MS ? begunMs : this.#nextMs;
    this.#nextMs = due + (samples / this.#rate) * 1_000;
    if (samples === 0) return;
    const known = this.#bytesPerSample ?? bytes / samples;
    this.#bytesPerSample = known + NEWEST_WEIGHT * (bytes / samples - known);
  }
}
