import { errorMessage } from '../../model/errors.ts';
import { ProtobufReader } from '../../wire/protobuf-reader.ts';

/** Most message indexes of one record: message definitions do not nest deeper. */
const MAX_INDEXES = 20;
/** The smallest tag: field 1, wire type 0. */
const FIRST_TAG = 8;

export interface MessageIndexes {
  readonly list: readonly number[];
  /** Start of the message. */
  readonly end: number;
  /** Why they cannot be read. */
  readonly fault?: string;
}

/** Whether the first byte may be the tag of a field, so that there may be no indexes at all. */
export function mayBeginWithTag(bytes: Buffer, start: number): boolean {
  return (bytes[start] ?? 0) >= FIRST_TAG;
}

/**
 * The indexes in front of a message: which message of the file, which message within that, and so on
 * (docs.confluent.io, "Wire format"): zigzag varints, their number first; a single 0 stands for the first message.
 *
 * @param zigzag false: as clients for Python, Go and .NET once wrote them
 */
export function readIndexes(bytes: Buffer, start: number, zigzag = true): MessageIndexes {
  const reader = new ProtobufReader(bytes, start);
  const next = () => {
    const value = reader.varint();
    if (!zigzag) return value;
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  };
  try {
    const count = next();
    if (count < 0 || count > MAX_INDEXES) throw new RangeError(`${count} of them`);
    return { list: count === 0 ? [0] : Array.from({ length: count }, next), end: reader.position };
  } catch (error) {
    return { list: [], end: start, fault: errorMessage(error) };
  }
}
