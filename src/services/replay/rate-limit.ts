/** Bytes of records of one step at most. A step is worked on in one go, so this bounds how long it holds the thread. */
const STEP_BYTES = 4 * 1024 * 1024;
/** Most records of a step: kafkajs' cost of a send grows with the square of its records. */
const STEP_RECORDS = 5_000;
/** Once there is something to do, how long a step waits for more, in ms. */
const LINGER_MS = 200;
/** With a rate, a step is as large as what may go in this time, in seconds. */
const RATED_STEP_SECONDS = 0.2;
/** What begins too late by up to this is made up for, in ms: timers and transactions are. More than that is a pause. */
const LATE_MS = 500;
/** How much the newest step counts in what is known of the size of a sample. */
const NEWEST_WEIGHT = 0.3;

export interface StepLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly lingerMs: number;
}

/**
 * How fast a replay may go: at most `rate` samples a second, in small steps, and nothing while the live flow lags.
 * Times by `monotonicMs`.
 */
export class RateLimit {
  readonly #rate: number | undefined;
  /** Before this no further step may begin. */
  #nextMs = Number.NEGATIVE_INFINITY;
  /** What a written sample takes of the source; undefined before the first. */
  #bytesPerSample: number | undefined;
  /** Whether the live flow lags too far behind. */
  yielding = false;

  /** @param rate samples a second; undefined: as fast as it goes */
  constructor(rate?: number) {
    this.#rate = rate;
  }

  /** How long no step may begin, in ms; 0: now. Infinite while it yields. */
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

  /** A step of so many bytes of the source was written; it began at `begunMs`. */
  spent(bytes: number, samples: number, begunMs: number): void {
    if (this.#rate === undefined) return;
    const due = begunMs - this.#nextMs > LATE_MS ? begunMs : this.#nextMs;
    this.#nextMs = due + (samples / this.#rate) * 1_000;
    if (samples === 0) return;
    const known = this.#bytesPerSample ?? bytes / samples;
    this.#bytesPerSample = known + NEWEST_WEIGHT * (bytes / samples - known);
  }
}
