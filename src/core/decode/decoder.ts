import type { RecordHeaders } from '../record/headers.ts';
import type { LabelLimits } from '../wire/label-block.ts';
import type { Compression } from './content-encoding.ts';
import type { BudgetLimits, RecordBudget } from './record-budget.ts';

/** Limits of a record and of a series, in bytes, counts and ms; 0 is no limit. Keys are those of `worker.limits`. */
export interface IngestLimits extends LabelLimits, BudgetLimits {
  /** Largest record after decompression. */
  readonly record_bytes: number;
  /** Buckets of one histogram, those that are empty included. */
  readonly buckets_per_histogram: number;
  /** Longest value of a tenant header, in bytes; absent: 1 KiB (core/pipeline/tenant.ts). */
  readonly tenant_bytes?: number;
  /** Most age and lead of a sample, relative to the time at which it is read, in ms; absent is no limit. */
  readonly max_age?: number;
  readonly max_future?: number;
}

/** Defaults of `worker.limits`. */
export const DEFAULT_LIMITS: IngestLimits = {
  record_bytes: 32 * 1024 * 1024,
  series_per_record: 1_000_000,
  faults_per_record: 10_000,
  buckets_per_histogram: 10_000,
  record_time: 1_000,
  labels_per_series: 40,
  label_name_bytes: 256,
  label_value_bytes: 4096,
  tenant_bytes: 1024,
};

/** Input of a decoder beside the body. */
export interface DecodeContext {
  readonly headers: RecordHeaders;
  /** The record's own time in ms: the time of samples that carry none. */
  readonly timestamp: number;
  readonly limits: IngestLimits;
  /** The encoding was guessed from the bytes, as no header or setting names it: it may be another. */
  readonly isGuess?: boolean;
  /** Limits of the work of reading; absent if the bytes are known to be harmless. */
  readonly budget?: RecordBudget;
}

/** One part of a record that could not be used, while the rest could. */
export interface Reject {
  /** Short, stable identifier for metrics and dead letters. */
  readonly reason: string;
  readonly message: string;
  /** The part at fault, as received. */
  readonly value: Buffer;
  readonly contentType: string;
}

/** A record in the one form that the pipeline knows. */
export interface Decoded {
  /** A remote write 1.0 WriteRequest, not compressed. Only its owner writes to it. */
  readonly body: Buffer;
  /** The body is the decompressed record, passed through: nothing else refers to its memory. */
  readonly passedThrough?: boolean;
  readonly rejects: readonly Reject[];
  /** Parts of the record that a remote write 1.0 series cannot carry, counted by kind: `metadata`, … */
  readonly uncarried?: Readonly<Record<string, number>>;
}

/** One encoding on the way in. */
export interface Decoder {
  /** Name in the configuration (`worker.encoding`): `remote_write_v1`. */
  readonly name: string;
  /** Media types that name it, in lower case, without parameters. */
  readonly contentTypes: readonly string[];
  /** Value of the media type's `proto` parameter, for encodings that only this tells apart; '' stands for none. */
  readonly protos?: readonly string[];
  /** The content-encoding of records without that header: remote write says snappy, text says identity. */
  readonly defaultContentEncoding: string;
  /** Other compressions of records without that header, recognized by their first bytes. */
  readonly otherContentEncodings?: readonly Compression[];
  /**
   * Turns an uncompressed body into a WriteRequest.
   * Throws PoisonError with stage `decode` if nothing of it can be used.
   */
  decode(body: Buffer, context: DecodeContext): Decoded;
}
