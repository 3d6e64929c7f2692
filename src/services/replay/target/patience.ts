import { monotonicMs } from '../../../io/time/clock.ts';

/** Once the replay is told to stop, storage that has not answered for this long, in ms, is given up. */
const SILENCE_MS = 2_000;
const LOOK_MS = 200;

/**
 * Decides whether a replay that was told to stop may finish its step: as long as storage takes it. A step that waits
 * for storage which is down would hold up the end until the deadline, and then be given up all the same.
 */
export class Patience {
  readonly #stop: AbortSignal;
  readonly #giveUp: () => void;
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;
  #heardMs = 0;
  readonly #begin = () => this.#watch();

  /** @param giveUp called at most once, after `stop` */
  constructor(stop: AbortSignal, giveUp: () => void) {
    this.#stop = stop;
    this.#giveUp = giveUp;
    if (stop.aborted) this.#begin();
    else stop.addEventListener('abort', this.#begin, { once: true });
  }

  /** A request was taken or refused for good. */
  answered(): void {
    this.#heardMs = monotonicMs();
  }

  /** A request is to be tried again. @returns function to call when it is answered or given up */
  retrying(): () => void {
    this.#waiting += 1;
    return () => void (this.#waiting -= 1);
  }

  close(): void {
    this.#stop.removeEventListener('abort', this.#begin);
    clearInterval(this.#timer);
  }

  #watch(): void {
    this.#heardMs = monotonicMs();
    this.#timer = setInterval(() => {
      if (this.#waiting === 0 && monotonicMs() - this.#heardMs < SILENCE_MS) return;
      this.close();
      this.#giveUp();
    }, LOOK_MS);
  }
}
