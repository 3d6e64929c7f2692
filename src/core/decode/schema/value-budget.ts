import { PoisonError } from '../../model/errors.ts';
import type { RecordBudget } from '../record-budget.ts';

/** Most memory of the values of one record, by estimate: a worker has those of one record at a time. */
const MAX_BYTES = 128 * 1024 * 1024;

/** Estimates of V8's objects, in bytes. */
export const OBJECT = 40;
export const FIELD = 16;
export const DICTIONARY = 200;
export const DICTIONARY_ENTRY = 100;
export const ITEM = 12;
/** Fields of an object beyond which V8 keeps it as a dictionary. */
const MANY_FIELDS = 64;
const FIELD_OF_MANY = 50;
export const TEXT = 40;

/** Estimated size of an object with this many fields. */
export function objectBytes(fields: number): number {
  return OBJECT + fields * (fields > MANY_FIELDS ? FIELD_OF_MANY : FIELD);
}

/** Units of a record's budget per byte. */
const UNITS_A_BYTE = 1 / 500;

/**
 * Limits the memory of a record that is read as values: a few bytes may claim any number of empty values, and a schema
 * of nested records may turn one byte into thousands.
 */
export class ValueBudget {
  readonly #record: RecordBudget | undefined;
  #left = MAX_BYTES;

  constructor(record: RecordBudget | undefined) {
    this.#record = record;
  }

  /** @throws PoisonError `decode`, `too_many_values` */
  take(bytes: number): void {
    this.#left -= bytes;
    this.#record?.spend(1 + bytes * UNITS_A_BYTE);
    if (this.#left >= 0) return;
    throw new PoisonError(
      'decode',
      'too_many_values',
      `the record takes more than ${MAX_BYTES / (1024 * 1024)} MiB of memory when it is read with its schema`,
    );
  }
}
