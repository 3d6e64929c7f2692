import { PoisonError } from '../model/errors.ts';
import type { DecodeContext } from './decoder.ts';

/** Times its size that a record may become, or a line of several fields, each a series with all tags. */
export const MAX_EXPANSION = 64;
/** Bytes that even the smallest record may become. */
const SMALL_OUTPUT_BYTES = 1024 * 1024;

/** Bytes that a record may become. Its size when decompressed is limited already; text becomes larger with its labels. */
export function largestOutput(bodyBytes: number, { limits }: DecodeContext): number {
  const bySize = MAX_EXPANSION * bodyBytes;
  const byLimit = limits.record_bytes === 0 ? bySize : Math.min(bySize, 2 * limits.record_bytes);
  return SMALL_OUTPUT_BYTES + byLimit;
}

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
