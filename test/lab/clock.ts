import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { createRunFolder } from './cache.ts';
import { poll } from './process.ts';

const PRELOAD = pathToFileURL(path.join(import.meta.dirname, 'clock-preload.ts'));

export const HOUR_MS = 3_600_000;

/** The system's time of processes that are started with `env`; it can be set while they run. */
export class TestClock {
  /** Offsets that it was set to, and when, in ms since the epoch. */
  readonly #steps: { readonly atMs: number; readonly offsetMs: number }[] = [];
  readonly #file = path.join(createRunFolder('clock'), 'offset-ms');

  constructor() {
    this.#write(0);
  }

  get env(): { NODE_OPTIONS: string; PENSTOCK_TEST_CLOCK: string } {
    const options = process.env['NODE_OPTIONS'] ?? '';
    return { NODE_OPTIONS: `${options} --import ${PRELOAD}`.trim(), PENSTOCK_TEST_CLOCK: this.#file };
  }

  /** Shifts it by `offsetMs`, for all its processes within moments. */
  set(offsetMs: number): void {
    this.#write(offsetMs);
  }

  /** The same; resolves when the process `pid` has applied it, which it may do only later. */
  async setFor(pid: number, offsetMs: number): Promise<void> {
    this.#write(offsetMs);
    const seen = `${this.#file}.${pid}`;
    await poll(
      () => existsSync(seen) && readFileSync(seen, 'utf8') === String(offsetMs),
      {},
      () => new Error(`process ${pid} does not follow its clock`),
    );
  }

  /**
   * The true time of a time that a process has logged, which may follow a step moments later. Unambiguous as long as
   * the clock is not older than its steps are wide.
   */
  trueMs(shownMs: number): number {
    const candidates = this.#steps.map(({ atMs, offsetMs }, index) => {
      const ms = shownMs - offsetMs;
      const endMs = this.#steps[index + 1]?.atMs ?? Date.now();
      return { ms, awayMs: Math.max(0, atMs - ms, ms - endMs) };
    });
    return candidates.reduce((best, each) => (each.awayMs < best.awayMs ? each : best)).ms;
  }

  /** Atomic: a reader finds the old offset or the new one. */
  #write(offsetMs: number): void {
    this.#steps.push({ atMs: Date.now(), offsetMs });
    writeFileSync(`${this.#file}.new`, String(offsetMs));
    renameSync(`${this.#file}.new`, this.#file);
  }
}
