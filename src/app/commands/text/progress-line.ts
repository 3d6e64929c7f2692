import { monotonicMs } from '../../../io/time/clock.ts';

/** How often the line is written again, in ms. */
const EVERY_MS = 100;

/** A line on a terminal that shows how far long work is; nothing where standard error is no terminal. */
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

  /** Takes the line away, before anything else is written. */
  clear(): void {
    if (this.#open) this.#stream.write('\r\u001b[K');
    this.#open = false;
  }
}
