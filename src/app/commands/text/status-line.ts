import { printable, printableLines } from '../../../core/model/printable.ts';
import { monotonicMs } from '../../../io/time/clock.ts';

/** Least time between two updates of the line, in ms. */
const EVERY_MS = 100;

/** Messages of a command on standard error and, on a terminal, a line with its progress. */
export class StatusLine {
  readonly isTerminal = process.stderr.isTTY === true;
  readonly #prefix: string;
  #shownMs = Number.NEGATIVE_INFINITY;
  #open = false;

  constructor(prefix = '') {
    this.#prefix = prefix;
  }

  say(message: string): void {
    this.clear();
    process.stderr.write(`${printableLines(`${this.#prefix}${message}`)}\n`);
  }

  /** Replaces the progress line; does nothing without a terminal. */
  show(text: string): void {
    if (!this.isTerminal || monotonicMs() - this.#shownMs < EVERY_MS) return;
    this.#shownMs = monotonicMs();
    this.#open = true;
    const line = printable(text).slice(0, Math.max(20, (process.stderr.columns || 80) - 1));
    process.stderr.write(`\r\u001b[K${line}`);
  }

  /** Erases the progress line; call before anything else is written. */
  clear(): void {
    if (this.#open) process.stderr.write('\r\u001b[K');
    this.#open = false;
  }
}
