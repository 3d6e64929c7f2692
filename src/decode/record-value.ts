import { PoisonError } from '../model/errors.ts';

/** The value of a record from a producer. Throws PoisonError `null_value` or `empty_record` where there is none. */
export function recordValue({ value }: { readonly value: Buffer | null }): Buffer {
  if (value === null) throw new PoisonError('decode', 'null_value', 'the record has no value (a tombstone)');
  if (value.length === 0) throw new PoisonError('decode', 'empty_record', 'the value of the record is empty');
  return value;
}
