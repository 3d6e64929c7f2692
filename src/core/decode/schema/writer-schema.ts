import type { RecordBudget } from '../record-budget.ts';

/** A schema with which records were written, ready to read them. */
export interface WriterSchema {
  /**
   * Reads the value that begins at `start` and fills the rest of `body`, as plain values: objects, arrays, text, numbers
   * (bigint where a double is not exact), booleans, null, `Instant`, Uint8Array for bytes.
   *
   * Throws PoisonError, stage `decode`, if the bytes are not of this schema.
   */
  read(body: Buffer, start: number, how?: ReadHow): unknown;
}

export interface ReadHow {
  /** Limits of the work of reading; absent if the bytes are known to be harmless. */
  readonly budget?: RecordBudget | undefined;
  /** Protobuf: the message indexes, if they are not in front of the message. */
  readonly indexes?: Buffer | undefined;
  /** JSON: numbers that JavaScript would write differently become text. */
  readonly isVerbatim?: boolean;
  /** JSON: called if there are such numbers. */
  readonly onOddNumbers?: () => void;
}

/** The id that a record names its schema by: a number, or a GUID as text. */
export type SchemaId = number | string;

/** Schemas by the id that a record names. Fetching them is up to the caller of a decoder. */
export interface SchemaSource {
  /**
   * Throws PoisonError if no schema of that id can be used, RetryableError if it has not been fetched.
   */
  schema(id: SchemaId): WriterSchema;
}
