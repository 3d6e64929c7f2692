import { errorMessage } from '../../../core/model/errors.ts';
import { monotonicMs } from '../../../io/time/clock.ts';

/** Interval of messages while storage is down, in ms. */
const SAY_EVERY_MS = 30_000;

/** Reports retries: the first, then one at intervals, and when storage takes samples again; not each of them. */
export class RetryNotes {
  readonly #say: (message: string) => void;
  readonly #nowMs: () => number;
  #saidMs: number | undefined;
  #retries = 0;
  #sinceMs = 0;

  constructor(say: (message: string) => void, nowMs = monotonicMs) {
    this.#say = say;
    this.#nowMs = nowMs;
  }

  retried(error: unknown): void {
    const nowMs = this.#nowMs();
    this.#retries += 1;
    if (this.#saidMs === undefined) {
      this.#sinceMs = nowMs;
      this.#say(`${errorMessage(error)}; trying again`);
    } else if (nowMs - this.#saidMs >= SAY_EVERY_MS) {
      const seconds = Math.round((nowMs - this.#sinceMs) / 1000);
      this.#say(`${errorMessage(error)}; tried ${this.#retries} times in ${seconds} s`);
    } else return;
    this.#saidMs = nowMs;
  }

  taken(): void {
    if (this.#saidMs === undefined) return;
    const seconds = Math.round((this.#nowMs() - this.#sinceMs) / 1000);
    this.#say(`storage takes samples again, after ${seconds} s`);
    this.#saidMs = undefined;
    this.#retries = 0;
  }
}
