import { PoisonError } from '../../model/errors.ts';
import type { ProtobufReader } from '../../wire/protobuf-reader.ts';
import type { DecodeContext } from '../decoder.ts';
import type { RecordBudget } from '../record-budget.ts';

/** Most attributes of one resource, scope or point, and values of one array: far more than any series has labels. */
const MOST_ATTRIBUTES = 10_000;

/** Limits of one OTLP record. Anything whose number a sender chooses is counted here before memory is allocated. */
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

  /** One more attribute after `count` others. Throws PoisonError `too_many_attributes` or `too_slow`. */
  attribute(count: number, what: string): void {
    this.#budget?.spend();
    if (count < MOST_ATTRIBUTES) return;
    throw new PoisonError('decode', 'too_many_attributes', `${what}: more than ${MOST_ATTRIBUTES} of them`);
  }

  /** A histogram with `count` buckets, or a summary with as many quantiles. Throws PoisonError `too_many_buckets`. */
  buckets(count: number, what: string): void {
    if (count <= this.#mostBuckets) return;
    throw new PoisonError(
      'decode',
      'too_many_buckets',
      `${what}: more than ${this.#mostBuckets} (worker.limits.buckets_per_histogram)`,
    );
  }
}
