import { RetryableError } from '../../../core/model/errors.ts';
import { monotonicMs } from '../../time/clock.ts';

/** A broker that was suspended, or cut off from the controller, catches up within seconds. */
const LASTING_MS = 30_000;
/** Answers further apart than this count as unrelated. A session that starts in trouble takes some seconds. */
const FORGOTTEN_MS = 60_000;

/**
 * Holds back implausible answers until they have lasted: an end offset below a committed one, a missing partition. They
 * mostly come from a broker that has missed the last elections.
 */
export class StaleAnswerGuard {
  readonly #lastingMs: number;
  readonly #now: () => number;
  readonly #met = new Map<string, { readonly sinceMs: number; readonly lastMs: number }>();

  /** @param lastingMs how long an answer must last, in ms */
  constructor(lastingMs = LASTING_MS, now: () => number = monotonicMs) {
    this.#lastingMs = lastingMs;
    this.#now = now;
  }

  /**
   * Returns if this has been the answer about `subject` for long enough. Starts over after a minute without one.
   *
   * @throws RetryableError until then: ask again, preferably another broker
   */
  met(subject: string, answer: string): void {
    const now = this.#now();
    const before = this.#met.get(subject);
    const sinceMs = before === undefined || now - before.lastMs > FORGOTTEN_MS ? now : before.sinceMs;
    this.#met.set(subject, { sinceMs, lastMs: now });
    const leftMs = sinceMs + this.#lastingMs - now;
    if (leftMs <= 0) return;
    throw new RetryableError(
      `${answer}; a broker that is behind says so too, so it is believed when it says so for ${Math.ceil(leftMs / 1000)} s more`,
    );
  }

  /** Forgets `subject`: a plausible answer has arrived. */
  refuted(subject: string): void {
    this.#met.delete(subject);
  }
}
