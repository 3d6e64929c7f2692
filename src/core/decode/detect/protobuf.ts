import { PoisonError } from '../../model/errors.ts';
import { BYTES, FIXED64, ProtobufReader, VARINT } from '../../wire/protobuf-reader.ts';
import type { FieldBudget } from '../../wire/write-request.ts';

/** Encodings that are protobuf messages without a header. */
export type ProtobufEncoding = 'remote_write_v1' | 'remote_write_v2' | 'otlp';

/** Most messages, and fields of each, that are examined: enough to meet a sample. */
const MOST_FIELDS = 1000;

/** ResourceMetrics.instrumentation_library_metrics of OTLP 0.15 to 0.18, which has the form of scope_metrics. */
const LIBRARY_METRICS = 1000;

/**
 * Detects which protobuf message a body is; undefined if its first field fits none.
 *
 * - Request of remote write 2.0: fields 4 (symbols) and 5 (series). Fields 1 to 3 are reserved there.
 * - WriteRequest of 1.0: fields 1 (series) and 3 (metadata).
 * - ExportMetricsServiceRequest of OTLP: field 1 only.
 *
 * Field 1 of the last two begins alike: labels are two strings, attributes a string and a message. But field 2 of a
 * series is a sample, which has a double and an integer, and field 2 of ResourceMetrics is ScopeMetrics, which has
 * messages and a string. The first non-empty field 2 decides; fields 3 and up of a series are messages too, but come
 * only in series with samples or histograms. Without any such field nothing can be lost, and 1.0 is assumed. A
 * truncated or corrupt body is what its first tag says.
 */
export function detectProtobuf(body: Uint8Array): ProtobufEncoding | undefined {
  return clearProtobuf(body) ?? byFirstTag(body[0]);
}

/** The protobuf message that a body is for certain; undefined in case of doubt. */
export function clearProtobuf(body: Uint8Array): ProtobufEncoding | undefined {
  try {
    return lookAt(new ProtobufReader(body));
  } catch (error) {
    if (!(error instanceof PoisonError)) throw error;
    return undefined;
  }
}

/**
 * The message that a body declared as one of the three really is: headers do not always change with the sender, and all
 * three are sent as `application/x-protobuf`. Protobuf skips unknown fields, so a body of another message would be read
 * to its end and yield nothing. 1.0 declared as 2.0 stays so: the decoder of 2.0 rejects it with an explanation, as
 * engines refuse it.
 *
 * Throws PoisonError `unknown_fields` if the body has fields that may be messages, and no field that is known.
 */
export function actualProtobuf(
  declared: ProtobufEncoding,
  body: Uint8Array,
  budget?: FieldBudget,
): ProtobufEncoding {
  if (body.length === 0 || isPlainlyAs(declared, body)) return declared;
  const found = clearProtobuf(body);
  if (found !== undefined)
    return declared === 'remote_write_v2' && found === 'remote_write_v1' ? declared : found;
  if (canBeReadAs(declared, body, budget)) return declared;
  throw new PoisonError(
    'decode',
    'unknown_fields',
    `the record is protobuf, but has no field that ${declared} knows: is it in another encoding than its content-type or ` +
      'worker.encoding says?',
  );
}

/** Fast path for nearly every body: it begins with a series whose first label has a name, or with a symbol. */
function isPlainlyAs(declared: ProtobufEncoding, body: Uint8Array): boolean {
  if (declared === 'remote_write_v2') return body[0] === 0x22 || body[0] === 0x2a;
  if (declared !== 'remote_write_v1') return false;
  if (body[0] === 0x1a) return true;
  // Series, label, name. The third level of OTLP is an attribute, which begins with a tag, not with a letter.
  let at = 0;
  for (let depth = 0; depth < 3; depth++) {
    if (body[at++] !== 0x0a) return false;
    while (body[at++]! >= 0x80);
  }
  return body[at]! > 0x20;
}

/** Known field numbers. For 2.0 these include 1 to 3, those of 1.0, whose use its decoder explains. */
const KNOWN: Readonly<Record<ProtobufEncoding, readonly number[]>> = {
  remote_write_v1: [1, 3],
  remote_write_v2: [1, 2, 3, 4, 5],
  otlp: [1],
};

/** Whether nothing is lost by reading a body as declared: it has a known field, or none that may be a message. */
function canBeReadAs(declared: ProtobufEncoding, body: Uint8Array, budget: FieldBudget | undefined): boolean {
  const known = KNOWN[declared];
  let lost = false;
  const reader = new ProtobufReader(body);
  while (reader.next()) {
    budget?.spend();
    if (known.includes(reader.field)) return true;
    lost ||= reader.wireType === BYTES;
    reader.skip();
  }
  return !lost;
}

function lookAt(request: ProtobufReader): ProtobufEncoding | undefined {
  for (let i = 0; i < MOST_FIELDS && request.next(); i++) {
    if (request.wireType === BYTES && (request.field === 4 || request.field === 5)) return 'remote_write_v2';
    if (request.wireType === BYTES && request.field === 3) return 'remote_write_v1';
    if (request.wireType !== BYTES || request.field !== 1) return undefined;
    const found = lookAtElement(request.message());
    if (found) return found;
  }
  return undefined;
}

/** A TimeSeries or a ResourceMetrics. */
function lookAtElement(element: ProtobufReader): ProtobufEncoding | undefined {
  for (let i = 0; i < MOST_FIELDS && element.next(); i++) {
    if (element.wireType !== BYTES) return undefined;
    if (element.field === 4) return 'remote_write_v1';
    const member = element.message();
    if (element.field === LIBRARY_METRICS) return 'otlp';
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
