import { PoisonError } from '../model/errors.ts';

/**
 * Refuses a record whose WriteRequest grows beyond what a record may have (`record_bytes`, 0: no limit).
 *
 * Encodings that say a label once for many series (symbol tables, resource attributes) grow when they are written
 * out, by any factor an evil sender likes; so the limit holds for the written form too, and before memory is taken.
 */
export function limitOutput(bytes: number, recordBytes: number): void {
  if (recordBytes === 0 || bytes <= recordBytes) return;
  throw new PoisonError(
    'decode',
    'record_too_large',
    `the record has more than ${recordBytes} bytes when its series are written out with all their labels ` +
      '(ingest.limits.record_bytes): send fewer series in a record',
  );
}
