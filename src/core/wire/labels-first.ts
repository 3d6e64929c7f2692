import { ProtobufReader } from './protobuf-reader.ts';
import { TAG_FIELD_1, TIME_SERIES } from './write-request.ts';

/** A TimeSeries whose label fields come before all others. */
export interface LabelsFirst {
  readonly bytes: Buffer;
  /** The label fields are `[0, labelsEnd)`. */
  readonly labelsEnd: number;
}

/**
 * The same TimeSeries with its label fields moved to the front. Protobuf allows fields in any order; encoders write
 * labels first, so this is rare. Both kinds keep their order and bytes, except that the tag of a label is written as
 * the single byte that other code looks for: a varint need not be in its shortest form.
 * Throws PoisonError `protobuf` if `[start, end)` is malformed.
 */
export function labelsFirst(bytes: Uint8Array, start: number, end: number): LabelsFirst {
  const result = Buffer.allocUnsafeSlow(end - start);
  let labelsEnd = 0;
  let length = 0;
  for (const labels of [true, false]) {
    const fields = new ProtobufReader(bytes, start, end);
    let at = labels ? 0 : labelsEnd;
    while (fields.next()) {
      const tagEnd = fields.position;
      fields.skip();
      if ((fields.field === TIME_SERIES.labels) !== labels) continue;
      if (labels) result[at++] = TAG_FIELD_1;
      const from = labels ? tagEnd : fields.fieldStart;
      result.set(bytes.subarray(from, fields.position), at);
      at += fields.position - from;
    }
    if (labels) labelsEnd = at;
    length = at;
  }
  return { bytes: result.subarray(0, length), labelsEnd };
}

/** One part of the fields after the labels: whole fields, in `[start, end)`. */
export interface TailPart {
  readonly start: number;
  readonly end: number;
}

/** Cuts the fields in `[start, end)` into runs of at most `maxBytes`; a run is longer only where one field alone is. */
export function splitTail(bytes: Uint8Array, start: number, end: number, maxBytes: number): TailPart[] {
  const parts: TailPart[] = [];
  const fields = new ProtobufReader(bytes, start, end);
  let from = start;
  while (fields.next()) {
    fields.skip();
    if (fields.position - from > maxBytes && fields.fieldStart > from) {
      parts.push({ start: from, end: fields.fieldStart });
      from = fields.fieldStart;
    }
  }
  if (from < end || parts.length === 0) parts.push({ start: from, end });
  return parts;
}
