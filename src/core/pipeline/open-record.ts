import type { Decoded, IngestLimits } from '../decode/decoder.ts';
import { RecordBudget } from '../decode/record-budget.ts';
import { recordValue } from '../decode/record-value.ts';
import type { DecoderRegistry } from '../decode/registry.ts';
import { PoisonError } from '../model/errors.ts';
import type { SourceRecord } from '../model/records.ts';
import { unknownVersion } from '../record/headers.ts';
import { recordTime } from '../record/record-time.ts';
import { type Framing, readFraming } from '../wire/write-request.ts';

/** A record as a WriteRequest whose outer framing is sound. */
export interface OpenedRecord {
  readonly decoded: Decoded;
  readonly framing: Framing;
  /** What is left of what the record may cost. */
  readonly budget: RecordBudget;
}

/** A body that is sound and has nothing in it, not even something to count: it is counted itself. */
const EMPTY = Object.freeze({ empty_record: 1 });

/**
 * What the worker and `penstock decode` begin a record with. The insides of its series are not looked at.
 *
 * @param nowMs the time of receipt, asked where the record has no time
 * @throws PoisonError where nothing of the record can be used, RetryableError where its schema has not been fetched
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
      `the record has ${framing.series} series, more than the limit of ${most} (ingest.limits.series_per_record)`,
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
