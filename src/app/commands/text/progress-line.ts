import { monotonicMs } from '../../../io/time/clock.ts';

/** Least time between two updates of the line, in ms. */
const EVERY_MS = 100;

/** Progress line on a terminal; writes nothing if standard error is not one. */
export class ProgressLine {
  readonly #stream: NodeJS.WriteStream;
  #shownMs = Number.NEGATIVE_INFINITY;
  #open = false;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  show(text: string): void {
    if (!this.#stream.isTTY || monotonicMs() - this.#shownMs < EVERY_MS) return;
    this.#shownMs = monotonicMs();
    this.#open = true;
    this.#stream.write(`\r\u001b[K${text}`);
  }

  /** Erases the line; call before anything else is written. */
  clear(): void {
    if (this.#open) this.#stream.write('\r\u001b[K');
    this.#open = false;
  }
}
