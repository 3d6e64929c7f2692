import { PoisonError } from '../model/errors.ts';

/**
 * Refuses a record that becomes more than `limit` bytes of WriteRequest (see `largestOutput`).
 *
 * Encodings that say a label once for many series (symbol tables, resource attributes) grow when they are written
 * out, by any factor an evil sender likes; so this is asked before memory is taken.
 */
export function limitOutput(bytes: number, limit: number): void {
  if (bytes <= limit) return;
  throw new PoisonError(
    'decode',
    'record_too_large',
    `the record becomes more than ${limit} bytes when its series are written out with all their labels ` +
      '(see ingest.limits.record_bytes): send fewer series in a record',
  );
}
