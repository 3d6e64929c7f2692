import { errorMessage, PoisonError, RetryableError } from '../../../core/model/errors.ts';
import type { OutgoingRecord } from '../../../core/model/records.ts';
import { isMembershipError, isTakenOver, RecordsRefusedError } from '../errors.ts';
import type { FetchedRecord } from '../partition-queue.ts';

/** Most records a step takes: kafkajs' cost of a send grows with the square of its records. */
const MOST_RECORDS = 5_000;
/** A step that fails so often, whatever for, may be more than a request can carry. */
const FAILURES = 3;
/** A step that took this share of the transaction timeout before it failed may have failed for want of time. */
const LATE_SHARE = 1 / 2;
/** So often a transaction of one record alone may end before it is done. */
const TIMEOUTS = 3;
/** One that writes less than this takes no time that a record could be blamed for: then Kafka is slow. */
const MANY_RECORDS = 100;
const MANY_BYTES = 4 * 1024 * 1024;

/**
 * How many records of a partition the next step takes. A step whose publication is refused, or does not end in time, is
 * tried again with half of its records, down to one; each step that is published doubles the next. So what does not fit
 * a transaction is not tried for ever, and a record that no broker takes, or that never fits the transaction timeout, is
 * found and set aside.
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

  /** Why this record, alone in its step, cannot be published; undefined for any other record. */
  refusalOf({ partition, offset }: Place): PoisonError | undefined {
    const refused = this.#refused;
    return refused?.offset === offset && refused.partition === partition ? refused.error : undefined;
  }

  /** Steps are smaller than they may be, since some were not published. */
  get isReduced(): boolean {
    return this.#records < MOST_RECORDS;
  }

  /** A step of so many records was not tried: a topic that it needs cannot be written to. Its first records may not need it. */
  blocked(records: number): void {
    this.#records = Math.max(1, Math.floor(records / 2));
  }

  published(): void {
    this.#failures = this.#timeouts = 0;
    this.#refused = undefined;
    this.#records = Math.min(MOST_RECORDS, this.#records * 2);
  }

  /**
   * Takes note of why a step of these records was not published.
   *
   * @param outgoing what was to be published
   * @returns what to throw: RetryableError where another step may do what this one could not
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
    // Where its dead letter fails too: that is no record's fault.
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
        `transaction of ${this.#timeoutMs} ms, ${TIMEOUTS} times in a row (ingest.transaction_timeout)`,
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
