import { labelBlockEnd } from './label-block.ts';
import { labelsFirst } from './labels-first.ts';
import { ProtobufReader } from './protobuf-reader.ts';
import { readTail, SeriesTail, WRITE_REQUEST } from './write-request.ts';

/** Called with the TimeSeries in `[start, end)`: its labels are in `[start, labelsEnd)`, `tail` sums up the rest. */
export type VisitSeries = (
  bytes: Buffer,
  start: number,
  labelsEnd: number,
  end: number,
  tail: Readonly<SeriesTail>,
) => void;

/**
 * Every TimeSeries of a WriteRequest, labels first. Plain code; the hot path is in core/pipeline/pipeline.ts.
 * Throws PoisonError `protobuf` if the body is malformed.
 */
export function eachSeries(body: Buffer, visit: VisitSeries): void {
  const tail = new SeriesTail();
  for (const fields = new ProtobufReader(body); fields.next(); ) {
    if (fields.field !== WRITE_REQUEST.timeseries) {
      fields.skip();
      continue;
    }
    const start = fields.block();
    const end = fields.position;
    const labelsEnd = labelBlockEnd(body, start, end);
    readTail(body, labelsEnd, end, tail);
    if (!tail.hasLabels) visit(body, start, labelsEnd, end, tail);
    else {
      const moved = labelsFirst(body, start, end);
      visit(moved.bytes, 0, moved.labelsEnd, moved.bytes.length, tail);
    }
  }
}
