import { PoisonError } from '../../model/errors.ts';
import type { ProtobufReader } from '../../wire/protobuf-reader.ts';
import type { DecodeContext } from '../decoder.ts';
import type { RecordBudget } from '../record-budget.ts';

/** Attributes of one resource, scope or point, and values of one array: far beyond what becomes labels. */
const MOST_ATTRIBUTES = 10_000;

/** What a record of OTLP may cost. Whatever a sender chooses the number of is counted here before memory is taken. */
export class OtlpBounds {
  readonly #budget: RecordBudget | undefined;
  readonly #mostBuckets: number;

  constructor({ limits, budget }: DecodeContext) {
    this.#budget = budget;
    this.#mostBuckets = limits.buckets_per_histogram || Number.POSITIVE_INFINITY;
  }

  /** Throws PoisonError `too_slow`. */
  spend(units = 1): void {
    this.#budget?.spend(units);
  }

  /** The next field, as `ProtobufReader.next` reads it: a message may have very many. Throws PoisonError `too_slow`. */
  next(fields: ProtobufReader): boolean {
    this.#budget?.spend();
    return fields.next();
  }

  /** One more series, of `labels` labels. Throws PoisonError `too_many_series` or `too_slow`. */
  series(labels: number): void {
    this.#budget?.series();
    this.#budget?.spend(1 + (labels >> 2));
  }

  /** A metric that is set aside. Throws PoisonError `too_many_faults`. */
  fault(): void {
    this.#budget?.fault();
  }

  /** One more attribute of those that already are `count`. Throws PoisonError `too_many_attributes` or `too_slow`. */
  attribute(count: number, what: string): void {
    this.#budget?.spend();
    if (count < MOST_ATTRIBUTES) return;
    throw new PoisonError('decode', 'too_many_attributes', `${what}: more than ${MOST_ATTRIBUTES} of them`);
  }

  /** A histogram, or summary, is to have `count` buckets. Throws PoisonError `too_many_buckets`. */
  buckets(count: number, what: string): void {
    if (count <= this.#mostBuckets) return;
    throw new PoisonError(
      'decode',
      'too_many_buckets',
      `${what}: more than ${this.#mostBuckets} (ingest.limits.buckets_per_histogram)`,
    );
  }
}
