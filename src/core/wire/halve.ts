import { ProtobufReader } from './protobuf-reader.ts';
import { WRITE_REQUEST } from './write-request.ts';

/**
 * Splits a WriteRequest (not compressed) into two with half of its series each.
 *
 * Fields other than series (metadata) go with the first half. `undefined` when there is at most one series. A body may
 * have millions of fields, so no state is kept per field.
 *
 * Throws PoisonError `protobuf` if the framing is broken.
 */
export function halveWriteRequest(body: Uint8Array): [Buffer, Buffer] | undefined {
  const series = countSeries(body);
  if (series < 2) return undefined;
  const fields = new ProtobufReader(body);
  for (let left = Math.ceil(series / 2); left > 0; ) if (isSeries(fields)) left--;
  const middle = fields.position;
  const [second, others] = separate(body.subarray(middle));
  return [Buffer.concat([body.subarray(0, middle), others]), second];
}

function countSeries(body: Uint8Array): number {
  let series = 0;
  for (const fields = new ProtobufReader(body); fields.position < body.length; )
    if (isSeries(fields)) series++;
  return series;
}

/** Skips the next field; returns whether it is a series. */
function isSeries(fields: ProtobufReader): boolean {
  fields.next();
  fields.skip();
  return fields.field === WRITE_REQUEST.timeseries;
}

/** The series of a WriteRequest, and its other fields. */
function separate(body: Uint8Array): [series: Buffer, others: Buffer] {
  const parts = [Buffer.allocUnsafeSlow(body.length), Buffer.allocUnsafeSlow(body.length)] as const;
  const ends: [number, number] = [0, 0];
  /** Start and kind of the fields not yet copied: neighbours of one kind are copied at once. */
  let from = 0;
  let kind = 0;
  const copy = (to: number) => {
    parts[kind]!.set(body.subarray(from, to), ends[kind]);
    ends[kind]! += to - from;
    from = to;
  };
  for (const fields = new ProtobufReader(body); fields.position < body.length; ) {
    const start = fields.position;
    const found = isSeries(fields) ? 0 : 1;
    if (found === kind) continue;
    copy(start);
    kind = found;
  }
  copy(body.length);
  return [parts[0].subarray(0, ends[0]), parts[1].subarray(0, ends[1])];
}
