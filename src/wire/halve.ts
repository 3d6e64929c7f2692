import { ProtobufReader } from './protobuf-reader.ts';
import { WRITE_REQUEST } from './write-request.ts';

/**
 * Splits a WriteRequest (not compressed) into two with half of its series each.
 *
 * Fields other than series (metadata) go with the first half. `undefined` when there is at most one series.
 * Throws PoisonError `protobuf` where the framing is broken.
 */
export function halveWriteRequest(body: Uint8Array): [Buffer, Buffer] | undefined {
  const series: Uint8Array[] = [];
  const others: Uint8Array[] = [];
  const reader = new ProtobufReader(body);
  while (reader.next()) {
    reader.skip();
    const field = body.subarray(reader.fieldStart, reader.position);
    (reader.field === WRITE_REQUEST.timeseries ? series : others).push(field);
  }
  if (series.length < 2) return undefined;
  const middle = Math.ceil(series.length / 2);
  return [Buffer.concat([...others, ...series.slice(0, middle)]), Buffer.concat(series.slice(middle))];
}
