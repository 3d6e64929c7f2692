import { ProtobufReader } from './protobuf-reader.ts';
import { TIME_SERIES } from './write-request.ts';

/** A TimeSeries whose label fields come before all others. */
export interface LabelsFirst {
  readonly bytes: Buffer;
  /** The label fields are `[0, labelsEnd)`. */
  readonly labelsEnd: number;
}

/**
 * The same TimeSeries with its label fields moved to the front. Protobuf lets fields come in any order; encoders write
 * them in theirs, so this is the rare case. Both kinds keep their order and their bytes.
 * Throws PoisonError `protobuf` where `[start, end)` is malformed.
 */
export function labelsFirst(bytes: Uint8Array, start: number, end: number): LabelsFirst {
  const result = Buffer.allocUnsafeSlow(end - start);
  let labelsEnd = 0;
  for (const labels of [true, false]) {
    const fields = new ProtobufReader(bytes, start, end);
    let at = labels ? 0 : labelsEnd;
    while (fields.next()) {
      fields.skip();
      if ((fields.field === TIME_SERIES.labels) !== labels) continue;
      result.set(bytes.subarray(fields.fieldStart, fields.position), at);
      at += fields.position - fields.fieldStart;
    }
    if (labels) labelsEnd = at;
  }
  return { bytes: result, labelsEnd };
}

/** One part of what follows the labels: whole fields, in `[start, end)`. */
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
