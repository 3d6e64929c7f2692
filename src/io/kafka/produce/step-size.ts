import { errorMessage, PoisonError, RetryableError } from '../../../core/model/errors.ts';
import type { OutgoingRecord } from '../../../core/model/records.ts';
import { isMembershipError, isTakenOver, RecordsRefusedError } from '../errors.ts';
import type { FetchedRecord } from '../partition-queue.ts';

/** Most records a step takes: kafkajs' cost of a send grows with the square of its records. */
const MOST_RECORDS = 5_000;
/** Failures in a row, rebalances aside, after which a step is halved: it may be more than a request can carry. */
const FAILURES = 3;
/** A step that failed after this share of the transaction timeout counts as timed out. */
const LATE_SHARE = 1 / 2;
/** Timeouts in a row at which a record alone in its step is set aside. */
const TIMEOUTS = 3;
/** A step that writes less than this is not blamed for its duration: Kafka is slow. */
const MANY_RECORDS = 100;
const MANY_BYTES = 4 * 1024 * 1024;

/**
 * Number of records in a partition's next step. A step that is refused or times out is retried with half of its
 * records, down to one; each published step doubles the next. So steps too large for a transaction shrink until they
 * fit, and a record that brokers refuse, or that exceeds the transaction timeout by itself, is found and set aside.
 */
export class StepSize {
  readonly #timeoutMs: number;
  #records = MOST_RECORDS;
  #failures = 0;
  #timeouts = 0;
  #refused: (Place & { readonly error: PoisonError }) | undefined;

  /** @param timeoutMs the transaction timeout */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  get records(): number {
    return this.#records;
  }

  /** Error of a record that cannot be published even alone; undefined for any other record. */
  refusalOf({ partition, offset }: Place): PoisonError | undefined {
    const refused = this.#refused;
    return refused?.offset === offset && refused.partition === partition ? refused.error : undefined;
  }

  /** True while steps are below the maximum, after failures. */
  get isReduced(): boolean {
    return this.#records < MOST_RECORDS;
  }

  /**
   * A step of `records` was not tried, as a topic it needs is blocked. Halves it: the first records may not need it.
   */
  blocked(records: number): void {
    this.#records = Math.max(1, Math.floor(records / 2));
  }

  published(): void {
    this.#failures = this.#timeouts = 0;
    this.#refused = undefined;
    this.#records = Math.min(MOST_RECORDS, this.#records * 2);
  }

  /**
   * Counts a step that was not published, and adapts the size.
   *
   * @param outgoing the records to be published
   * @returns the error to throw: RetryableError if a smaller step, or a dead letter, may succeed
   */
  failed(
    error: unknown,
    records: readonly FetchedRecord[],
    tookMs: number,
    outgoing: readonly OutgoingRecord[] = [],
  ): unknown {
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
    // The step of its dead letter failed too: not the record's fault.
    if (record === undefined || this.refusalOf(record) !== undefined) return error;
    const { partition, offset } = record;
    if (isRefused) {
      this.#refused = { partition, offset, error: new PoisonError('encode', error.reason, error.message) };
      return retried(error);
    }
    if (!isLate || !isTakenOver(error) || !isMuch(outgoing) || ++this.#timeouts < TIMEOUTS) return error;
    this.#refused = { partition, offset, error: this.#tooSlow(outgoing) };
    return error;
  }

  #tooSlow(outgoing: readonly OutgoingRecord[]): PoisonError {
    return new PoisonError(
      'encode',
      'transaction_timeout',
      `the record becomes ${outgoing.length} records of ${bytesOf(outgoing)} bytes, which were not written within a ` +
        `transaction of ${this.#timeoutMs} ms, ${TIMEOUTS} times in a row (worker.transaction_timeout)`,
    );
  }
}

type Place = Pick<FetchedRecord, 'partition' | 'offset'>;

function isMuch(outgoing: readonly OutgoingRecord[]): boolean {
  return outgoing.length >= MANY_RECORDS || bytesOf(outgoing) >= MANY_BYTES;
}

function bytesOf(outgoing: readonly OutgoingRecord[]): number {
  return outgoing.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
}

function retried(cause: Error): RetryableError {
  return new RetryableError(errorMessage(cause), { cause });
}
