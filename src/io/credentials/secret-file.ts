import { readFileSync } from 'node:fs';
import { errorMessage, RetryableError } from '../../core/model/errors.ts';
import { monotonicMs } from '../time/clock.ts';

/** Interval between reads of a file, in ms; tokens rotate within minutes. */
const REREAD_MS = 2_000;

/** A secret in a file that others replace: read again when it is used, at most every two seconds. */
export class SecretFile {
  readonly #file: string;
  readonly #now: () => number;
  #value: string | undefined;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(file: string, now: () => number = monotonicMs) {
    this.#file = file;
    this.#now = now;
  }

  /**
   * The text without trailing line breaks. While the file is missing or empty, the last value read.
   *
   * @throws RetryableError when nothing could be read yet
   */
  read(): string {
    if (this.#value !== undefined && this.#now() - this.#readAt < REREAD_MS) return this.#value;
    let reason = 'the file is empty';
    try {
      const text = readFileSync(this.#file, 'utf8').replace(/[\r\n]+$/, '');
      if (text !== '') this.#value = text;
    } catch (error) {
      reason = errorMessage(error);
    }
    this.#readAt = this.#now();
    if (this.#value === undefined) throw new RetryableError(`No secret in ${this.#file}: ${reason}`);
    return this.#value;
  }

  /** The secret was refused: the next use reads the file. */
  forget(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }
}
