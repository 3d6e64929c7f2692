import { PoisonError } from '../../model/errors.ts';
import { FIXED32, FIXED64, ProtobufReader, VARINT } from '../../wire/protobuf-reader.ts';

/**
 * Recognizes a span or a log record in place of an unreadable metric: requests of all three nest alike and have no mark
 * of their own. Undefined if it is neither, as far as the types of its fields tell.
 *
 * Spans have their times in fields 7 and 8 (opentelemetry/proto/trace/v1/trace.proto); log records theirs in 1 and 11,
 * their severity in 2, their flags in 8 (opentelemetry/proto/logs/v1/logs.proto). No field of a metric is a number.
 */
export function otherSignal(bytes: Uint8Array, start: number, end: number): PoisonError | undefined {
  try {
    const parent = new ProtobufReader(bytes, start, end);
    parent.next();
    for (const element = parent.message(); element.next(); element.skip()) {
      const { field, wireType } = element;
      if (wireType === FIXED64 && (field === 7 || field === 8)) return named('spans (OTLP traces)');
      const isOfLog =
        (wireType === FIXED64 && (field === 1 || field === 11)) ||
        (wireType === VARINT && field === 2) ||
        (wireType === FIXED32 && field === 8);
      if (isOfLog) return named('log records (OTLP logs)');
    }
  } catch (error) {
    if (!(error instanceof PoisonError)) throw error;
  }
  return undefined;
}

function named(what: string): PoisonError {
  return new PoisonError(
    'decode',
    'otlp_metric',
    `these are ${what}, not metrics: Penstock reads metrics only, send them to another topic`,
  );
}
