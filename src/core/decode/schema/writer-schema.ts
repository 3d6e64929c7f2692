import type { RecordBudget } from '../record-budget.ts';

/** A schema with which records were written, ready to read them. */
export interface WriterSchema {
  /**
   * Reads the value that begins at `start` and fills the rest of `body`, as plain values: objects, arrays, text, numbers
   * (bigint where a double is not exact), booleans, null, `Instant`, Uint8Array for bytes.
   *
   * Throws PoisonError, stage `decode`, where the bytes are not of this schema.
   */
  read(body: Buffer, start: number, how?: ReadHow): unknown;
}

export interface ReadHow {
  /** What reading may cost; absent where the bytes are known to be harmless. */
  readonly budget?: RecordBudget | undefined;
  /** Protobuf: the message indexes, where they are not in front of the message. */
  readonly indexes?: Buffer | undefined;
  /** JSON: numbers that JavaScript would write in another way than they are written are text. */
  readonly isVerbatim?: boolean;
  /** JSON: called where there are such numbers. */
  readonly onOddNumbers?: () => void;
}

/** The id that a record names its schema by: a number, or a GUID as text. */
export type SchemaId = number | string;

/** Where decoders find schemas by the id that a record names. Fetching them is the business of whoever calls a decoder. */
export interface SchemaSource {
  /**
   * Throws PoisonError where no schema of that id can be used, RetryableError where it has not been fetched.
   */
  schema(id: SchemaId): WriterSchema;
}
