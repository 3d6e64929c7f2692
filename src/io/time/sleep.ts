/** Longest delay of setTimeout, in ms; beyond it setTimeout fires at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Resolves after `ms` milliseconds (at most some 24 days), or at once when `signal` aborts. Never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, Math.min(ms, LONGEST_MS));
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done);
  });
}

/** Waits for `work`, at most `ms` milliseconds. */
export async function within(work: Promise<unknown> | undefined, ms: number): Promise<void> {
  const done = new AbortController();
  try {
    await Promise.race([work, sleep(Math.max(0, ms), done.signal)]);
  } finally {
    done.abort();
  }
}

/**
 * Pauses between attempts: exponential with jitter, so that many processes do not come back at once.
 *
 * Each `next()` is drawn evenly from the upper half of [0, min · 2^n], at most `max`. All in milliseconds.
 */
export class Backoff {
  readonly #min: number;
  readonly #max: number;
  readonly #random: () => number;
  #attempt = 0;

  constructor(min: number, max: number, random: () => number = Math.random) {
    this.#min = min;
    this.#max = max;
    this.#random = random;
  }

  next(): number {
    const ceiling = Math.min(this.#max, this.#min * 2 ** this.#attempt);
    if (ceiling < this.#max) this.#attempt += 1;
    return ceiling * (0.5 + this.#random() / 2);
  }

  reset(): void {
    this.#attempt = 0;
  }
}
