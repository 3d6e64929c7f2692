import type { Decoded, IngestLimits } from '../decode/decoder.ts';
import { RecordBudget } from '../decode/record-budget.ts';
import type { DecoderRegistry } from '../decode/registry.ts';
import { PoisonError, tooManyHeaders } from '../model/errors.ts';
import type { SourceRecord } from '../model/records.ts';
import { unknownVersion } from '../record/headers.ts';
import { recordTime } from '../record/record-time.ts';
import { type Framing, readFraming } from '../wire/write-request.ts';

/** A record as a WriteRequest whose outer framing is sound. */
export interface OpenedRecord {
  readonly decoded: Decoded;
  readonly framing: Framing;
  /** Remaining budget of the record. */
  readonly budget: RecordBudget;
}

/** Counts for a sound body that holds nothing, not even anything else to count. */
const EMPTY = Object.freeze({ empty_record: 1 });

/**
 * Decodes a record and checks the outer framing, not the content of the series. For the worker and `penstock decode`.
 *
 * @param nowMs the time of receipt, for a record without a time
 * @throws PoisonError if nothing of the record can be used, RetryableError if its schema has not been fetched
 */
export function openRecord(
  record: SourceRecord,
  decoders: DecoderRegistry,
  limits: IngestLimits,
  nowMs: () => number,
): OpenedRecord {
  const unknown = unknownVersion(record.headers, 'decode');
  if (unknown !== undefined) throw unknown;
  const timestamp = recordTime(record, nowMs);
  const value = recordValue(record);
  const budget = new RecordBudget(limits, value.length);
  const decoded = decoders.decode(value, { headers: record.headers, timestamp, limits, budget });
  if (budget.exceeded !== undefined) throw budget.exceeded;
  const framing = readFraming(decoded.body, budget);
  const most = limits.series_per_record;
  if (most > 0 && framing.series > most) {
    throw new PoisonError(
      'decode',
      'too_many_series',
      `the record has ${framing.series} series, more than the limit of ${most} (worker.limits.series_per_record)`,
    );
  }
  return {
    decoded: isNothing(decoded, framing) ? { ...decoded, uncarried: EMPTY } : decoded,
    framing,
    budget,
  };
}

function isNothing({ rejects, uncarried }: Decoded, { series, metadata, unknown }: Framing): boolean {
  return series + metadata + unknown + rejects.length === 0 && uncarried === undefined;
}

interface ReceivedValue {
  readonly value: Buffer | null;
  readonly headersLeftOut?: number;
}

/**
 * The value of a record from a producer. Throws PoisonError `null_value` or `empty_record` if there is none, and
 * `too_many_headers` if not all headers were read: one of the others may say what the record is.
 */
function recordValue({ value, headersLeftOut = 0 }: ReceivedValue): Buffer {
  if (value === null) throw new PoisonError('decode', 'null_value', 'the record has no value (a tombstone)');
  if (value.length === 0) throw new PoisonError('decode', 'empty_record', 'the value of the record is empty');
  if (headersLeftOut > 0) throw tooManyHeaders(headersLeftOut);
  return value;
}
