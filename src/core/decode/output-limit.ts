import { PoisonError } from '../model/errors.ts';
import type { DecodeContext } from './decoder.ts';

/** Most growth of a record, or of a line of several fields (each a series with all tags), in multiples of its size. */
export const MAX_EXPANSION = 64;
/** Bytes that even the smallest record may grow to. */
const SMALL_OUTPUT_BYTES = 1024 * 1024;

/** Bytes that a record may grow to. Its decompressed size is limited already; text grows with its labels. */
export function largestOutput(bodyBytes: number, { limits }: DecodeContext): number {
  const bySize = MAX_EXPANSION * bodyBytes;
  const byLimit = limits.record_bytes === 0 ? bySize : Math.min(bySize, 2 * limits.record_bytes);
  return SMALL_OUTPUT_BYTES + byLimit;
}

/**
 * Refuses a record that becomes more than `limit` bytes of WriteRequest (see `largestOutput`).
 *
 * Encodings that write a label once for many series (symbol tables, resource attributes) grow when they are written
 * out, by any factor that a malicious sender chooses; so this is checked before memory is allocated.
 */
export function limitOutput(bytes: number, limit: number): void {
  if (bytes <= limit) return;
  throw new PoisonError(
    'decode',
    'record_too_large',
    `the record becomes more than ${limit} bytes when its series are written out with all their labels ` +
      '(see worker.limits.record_bytes): send fewer series in a record',
  );
}
