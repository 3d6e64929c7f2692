import { PoisonError, tooManyHeaders } from '../model/errors.ts';

interface ReceivedValue {
  readonly value: Buffer | null;
  readonly headersLeftOut?: number;
}

/**
 * The value of a record from a producer. Throws PoisonError `null_value` or `empty_record` if there is none, and
 * `too_many_headers` if not all headers were read: one of the others may say what the record is.
 */
export function recordValue({ value, headersLeftOut = 0 }: ReceivedValue): Buffer {
  if (value === null) throw new PoisonError('decode', 'null_value', 'the record has no value (a tombstone)');
  if (value.length === 0) throw new PoisonError('decode', 'empty_record', 'the value of the record is empty');
  if (headersLeftOut > 0) throw tooManyHeaders(headersLeftOut);
  return value;
}
