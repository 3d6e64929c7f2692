import { isMembershipError, RecordsRefusedError } from '../kafka/errors.ts';
import type { FetchedRecord } from '../kafka/partition-queue.ts';
import { errorMessage, PoisonError, RetryableError } from '../model/errors.ts';

/** Most records a step takes: kafkajs' cost of a send grows with the square of its records. */
const MOST_RECORDS = 5_000;
/** A step that fails so often, whatever for, may be more than a request can carry. */
const FAILURES = 3;
/** A step that took this share of the transaction timeout before it failed may have failed for want of time. */
const LATE_SHARE = 1 / 2;

/**
 * How many records of a partition the next step takes. A step whose publication is refused, or does not end in time, is
 * tried again with half of its records, down to one; each step that is published doubles the next. So what does not fit
 * a transaction is not tried for ever, and a record that no broker takes is found and set aside.
 */
export class StepSize {
  readonly #timeoutMs: number;
  #records = MOST_RECORDS;
  #failures = 0;
  #refused: { readonly offset: bigint; readonly error: PoisonError } | undefined;

  /** @param timeoutMs the transaction timeout */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  get records(): number {
    return this.#records;
  }

  /** Why this record, alone in its step, cannot be published; undefined for any other record. */
  refusalOf({ offset }: Pick<FetchedRecord, 'offset'>): PoisonError | undefined {
    return this.#refused?.offset === offset ? this.#refused.error : undefined;
  }

  published(): void {
    this.#failures = 0;
    this.#refused = undefined;
    this.#records = Math.min(MOST_RECORDS, this.#records * 2);
  }

  /**
   * Takes note of why a step of these records was not published.
   *
   * @returns what to throw: RetryableError where another step may do what this one could not
   */
  failed(error: unknown, records: readonly FetchedRecord[], tookMs: number): unknown {
    if (isMembershipError(error)) return error;
    this.#failures += 1;
    const isRefused = error instanceof RecordsRefusedError;
    const isLate = tookMs >= this.#timeoutMs * LATE_SHARE;
    if (records.length > 1) {
      if (isRefused || isLate || this.#failures >= FAILURES) {
        this.#records = Math.max(1, Math.floor(records.length / 2));
      }
      return isRefused ? retried(error) : error;
    }
    const [record] = records;
    // Its dead letter is refused too: that is no record's fault.
    if (!isRefused || record === undefined || this.refusalOf(record) !== undefined) return error;
    const { offset } = record;
    this.#refused = { offset, error: new PoisonError('encode', error.reason, error.message) };
    return retried(error);
  }
}

function retried(cause: Error): RetryableError {
  return new RetryableError(errorMessage(cause), { cause });
}
