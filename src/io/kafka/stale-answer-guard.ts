import { RetryableError } from '../../core/model/errors.ts';
import { monotonicMs } from '../time/clock.ts';

/** A broker that was frozen, or cut off from the controller, learns within seconds what it has missed. */
const LASTING_MS = 30_000;
/** Nothing is concluded from two answers that are further apart. A session that begins in trouble takes some seconds. */
const FORGOTTEN_MS = 60_000;

/**
 * Answers of Kafka that are hardly ever true, and that a broker gives which has missed the last elections: an end
 * before what was committed, a partition that does not exist. One is believed when it has lasted.
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
   * Returns when `subject` has been answered like this for long enough. After a minute in which nobody asked it
   * begins again.
   *
   * @throws RetryableError before; the question is to be asked again, best of another broker
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

  /** Another answer has come about `subject`. */
  refuted(subject: string): void {
    this.#met.delete(subject);
  }
}
