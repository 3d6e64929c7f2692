import type { WriteStream } from 'node:tty';
import { fit, formatSnapshot, type Snapshot } from './display.ts';

const PLAIN_EVERY_MS = 5_000;
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/**
 * Shows snapshots: on a terminal redrawn in place, elsewhere a block of plain lines every five seconds.
 *
 * Lines that `print` writes stay above the table.
 */
export class Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #live: boolean;
  readonly #color: boolean;
  #height = 0;
  #shownMs = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
    this.#live = out.isTTY === true && process.env.TERM !== 'dumb';
    this.#color = this.#live && !process.env.NO_COLOR;
    if (this.#live) process.once('exit', () => out.write(SHOW_CURSOR));
  }

  get color(): boolean {
    return this.#color;
  }

  /** `now`: show it even if the last block is not five seconds old. */
  show(snapshot: Snapshot, { now = false } = {}): void {
    if (!this.#live) {
      if (!now && Date.now() - this.#shownMs < PLAIN_EVERY_MS) return;
      this.#shownMs = Date.now();
      this.#out.write(`\n${formatSnapshot(snapshot, { color: false }).join('\n')}\n`);
      return;
    }
    const { columns, rows } = this.#out as WriteStream;
    const lines = formatSnapshot(snapshot, { color: this.#color }).map((line) => fit(line, columns));
    // Lines above the top of a low terminal cannot be redrawn: keep the last ones, which have the news.
    const shown = lines.slice(-Math.max(1, rows - 1));
    this.#out.write(
      HIDE_CURSOR + this.#toTop() + shown.map((line) => `${line}${CLEAR_LINE}\n`).join('') + CLEAR_BELOW,
    );
    this.#height = shown.length;
  }

  print(line = ''): void {
    this.#out.write(`${this.#toTop()}${this.#height > 0 ? CLEAR_BELOW : ''}${line}\n`);
    this.#height = 0;
  }

  /** Leaves the table where it is; later output is printed below it. */
  settle(): void {
    this.#height = 0;
    if (this.#live) this.#out.write(SHOW_CURSOR);
  }

  #toTop(): string {
    return this.#height > 0 ? `\x1b[${this.#height}A\r` : '';
  }
}
