import { BYTES, ProtobufReader } from './protobuf-reader.ts';

/**
 * Remote write 1.0's messages (prometheus.io/docs/specs/prw/remote_write_spec, prompb/remote.proto,
 * prompb/types.proto). Plain and complete code; the hot path in core/pipeline/pipeline.ts parses by hand.
 */
export const WRITE_REQUEST = { timeseries: 1, metadata: 3 } as const;
export const TIME_SERIES = { labels: 1, samples: 2, exemplars: 3, histograms: 4 } as const;
export const LABEL = { name: 1, value: 2 } as const;
export const SAMPLE = { value: 1, timestamp: 2 } as const;

/** Tag byte of `WriteRequest.timeseries`, and of `TimeSeries.labels` too: field 1, length-delimited. */
export const TAG_FIELD_1 = 0x0a;
/** Tag byte of `TimeSeries.samples`. */
export const TAG_SAMPLE = 0x12;

/** Number of a WriteRequest's fields by kind. */
export interface Framing {
  series: number;
  metadata: number;
  /** Fields that remote write 1.0 does not know. */
  unknown: number;
}

/** Budget for reading fields, of which a message may have very many. */
export interface FieldBudget {
  spend(units?: number): void;
}

/**
 * Checks the framing of a WriteRequest, its outermost fields: afterwards each TimeSeries is known to lie within it.
 * Throws PoisonError `protobuf` if the framing is broken. The content of the series is not read.
 *
 * @param budget charged for each field off the fast path; an error of its own ends the walk
 */
export function readFraming(body: Uint8Array, budget?: FieldBudget): Framing {
  const reader = new ProtobufReader(body);
  const framing: Framing = { series: 0, metadata: 0, unknown: 0 };
  const end = body.length;
  let position = 0;
  while (position < end) {
    // Fast path for the usual field: TimeSeries of up to 2 MiB. The reader below takes the rest, and all that is wrong.
    if (body[position] === TAG_FIELD_1 && position + 3 < end) {
      const b0 = body[position + 1]!;
      const b1 = body[position + 2]!;
      const b2 = body[position + 3]!;
      let next = -1;
      if (b0 < 0x80) next = position + 2 + b0;
      else if (b1 < 0x80) next = position + 3 + ((b0 & 0x7f) | (b1 << 7));
      else if (b2 < 0x80) next = position + 4 + ((b0 & 0x7f) | ((b1 & 0x7f) << 7) | (b2 << 14));
      if (next >= 0 && next <= end) {
        framing.series++;
        position = next;
        continue;
      }
    }
    budget?.spend();
    reader.position = position;
    reader.next();
    if (reader.field === WRITE_REQUEST.timeseries) {
      reader.expect(BYTES, 'WriteRequest.timeseries');
      framing.series++;
    } else if (reader.field === WRITE_REQUEST.metadata) {
      reader.expect(BYTES, 'WriteRequest.metadata');
      framing.metadata++;
    } else framing.unknown++;
    reader.skip();
    position = reader.position;
  }
  return framing;
}
