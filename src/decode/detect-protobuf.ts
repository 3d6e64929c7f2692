import { PoisonError } from '../model/errors.ts';
import { BYTES, FIXED64, ProtobufReader, VARINT } from '../wire/protobuf-reader.ts';

/** Encodings that are protobuf messages without a header. */
export type ProtobufEncoding = 'remote_write_v1' | 'remote_write_v2' | 'otlp';

/** How many messages and fields are looked at: enough to meet a sample, and no more work than that. */
const MOST_FIELDS = 1000;

/**
 * Which protobuf message a body is; undefined where its first field fits none.
 *
 * - Request of remote write 2.0: fields 4 (symbols) and 5 (series). Fields 1 to 3 are reserved there.
 * - WriteRequest of 1.0: fields 1 (series) and 3 (metadata).
 * - ExportMetricsServiceRequest of OTLP: field 1 only.
 *
 * Field 1 of the last two begins alike: labels are two strings, attributes a string and a message. But what is field 2
 * of a series is a sample, which holds a double and an integer, and field 2 of ResourceMetrics is ScopeMetrics, which
 * holds messages and a string. The first field 2 that is not empty decides; field 3 and up of a series are messages
 * too, but come only in series with samples or histograms. Without any such field there is nothing to lose, and 1.0
 * is taken.
 */
export function detectProtobuf(body: Uint8Array): ProtobufEncoding | undefined {
  try {
    return lookAt(new ProtobufReader(body));
  } catch (error) {
    if (!(error instanceof PoisonError)) throw error;
    // Cut off or corrupt: the first tag still says what it was to be.
    return byFirstTag(body[0]);
  }
}

function lookAt(request: ProtobufReader): ProtobufEncoding | undefined {
  for (let i = 0; i < MOST_FIELDS && request.next(); i++) {
    if (request.wireType === BYTES && (request.field === 4 || request.field === 5)) return 'remote_write_v2';
    if (request.wireType === BYTES && request.field === 3) return 'remote_write_v1';
    if (request.wireType !== BYTES || request.field !== 1) return i === 0 ? undefined : 'remote_write_v1';
    const found = lookAtElement(request.message());
    if (found) return found;
  }
  return byFirstTag(request.bytes[0]);
}

/** A TimeSeries or a ResourceMetrics. */
function lookAtElement(element: ProtobufReader): ProtobufEncoding | undefined {
  for (let i = 0; i < MOST_FIELDS && element.next(); i++) {
    if (element.wireType !== BYTES) return undefined;
    if (element.field === 4) return 'remote_write_v1';
    const member = element.message();
    if (element.field !== 2 || !member.next()) continue;
    const isSample =
      (member.field === 1 && member.wireType === FIXED64) ||
      (member.field === 2 && member.wireType === VARINT);
    if (isSample) return 'remote_write_v1';
    if (member.field <= 3 && member.wireType === BYTES) return 'otlp';
  }
  return undefined;
}

function byFirstTag(tag: number | undefined): ProtobufEncoding | undefined {
  if (tag === 0x22 || tag === 0x2a) return 'remote_write_v2';
  return tag === 0x0a || tag === 0x1a ? 'remote_write_v1' : undefined;
}
