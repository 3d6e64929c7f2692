/** A fault that a schema finds in a value that could be read: where, as a JSON pointer (RFC 6901), and what. */
export interface SchemaFault {
  readonly pointer: string;
  readonly message: string;
}

/**
 * A record as plain values: objects, arrays, text, numbers (bigint where a double is not exact), booleans, null,
 * Uint8Array for bytes.
 */
export interface ReadValue {
  readonly value: unknown;
  readonly faults: readonly SchemaFault[];
}

/** A schema with which records were written, ready to read them. */
export interface WriterSchema {
  /**
   * Reads the value that begins at `start` and fills the rest of `body`.
   * Throws PoisonError, stage `decode`, where the bytes are not of this schema.
   */
  read(body: Buffer, start: number): ReadValue;
}

/** Where decoders find schemas by the id that a record names. Fetching them is the business of whoever calls a decoder. */
export interface SchemaSource {
  /**
   * Throws PoisonError where no schema of that id can be used, RetryableError where it has not been fetched.
   */
  schema(id: number): WriterSchema;
}

export const NO_FAULTS: readonly SchemaFault[] = [];
