import { monotonicMs } from '../time/clock.ts';

/** Token bucket: `burst` at once, then one per `everyMs`. */
export class RateLimit {
  readonly #burst: number;
  readonly #everyMs: number;
  readonly #now: () => number;
  #left: number;
  #atMs: number;

  /** @param now a clock that never steps back, in ms */
  constructor(burst: number, everyMs: number, now: () => number = monotonicMs) {
    this.#burst = burst;
    this.#everyMs = everyMs;
    this.#now = now;
    this.#left = burst;
    this.#atMs = now();
  }

  /** Takes a token. @returns 0 if there was one, else the time to wait, in ms */
  take(): number {
    const now = this.#now();
    this.#left = Math.min(this.#burst, this.#left + (now - this.#atMs) / this.#everyMs);
    this.#atMs = now;
    if (this.#left < 1) return Math.ceil((1 - this.#left) * this.#everyMs);
    this.#left -= 1;
    return 0;
  }
}
