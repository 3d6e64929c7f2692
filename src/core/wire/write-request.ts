import {
  BYTES,
  END_GROUP,
  FIXED64,
  malformed,
  ProtobufReader,
  START_GROUP,
  VARINT,
} from './protobuf-reader.ts';

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

/** Summary of the fields after a series' labels. Times in ms since the epoch. An instance is meant for reuse. */
export class SeriesTail {
  samples = 0;
  exemplars = 0;
  histograms = 0;
  /** Infinity and -Infinity if there is no sample or histogram. */
  oldestMs = Number.POSITIVE_INFINITY;
  newestMs = Number.NEGATIVE_INFINITY;
  /** There are label fields between or after the others. */
  hasLabels = false;

  reset(): void {
    this.samples = 0;
    this.exemplars = 0;
    this.histograms = 0;
    this.oldestMs = Number.POSITIVE_INFINITY;
    this.newestMs = Number.NEGATIVE_INFINITY;
    this.hasLabels = false;
  }

  /** Includes the time of one sample or histogram. */
  time(timestampMs: number): void {
    if (timestampMs < this.oldestMs) this.oldestMs = timestampMs;
    if (timestampMs > this.newestMs) this.newestMs = timestampMs;
  }
}

/**
 * Checks and counts the fields of a TimeSeries in `[position, end)`, down to the types of every known field,
 * since a receiver refuses a whole request for one wrong byte. Throws PoisonError `protobuf`.
 *
 * Groups, which protobuf 3 does not have, are refused here: vmagent does not take them, and these bytes go there.
 *
 * @param budget charged for each field; an error of its own ends the walk
 */
export function readTail(
  bytes: Uint8Array,
  position: number,
  end: number,
  tail: SeriesTail,
  budget?: FieldBudget,
): void {
  const series = new ProtobufReader(bytes, position, end);
  tail.reset();
  while (series.next()) {
    budget?.spend();
    switch (series.field) {
      case TIME_SERIES.labels:
        series.expect(BYTES, 'TimeSeries.labels');
        series.skip();
        tail.hasLabels = true;
        break;
      case TIME_SERIES.samples:
        series.expect(BYTES, 'TimeSeries.samples');
        tail.time(readMessage(series.message(), 'Sample', SAMPLE_TYPES, SAMPLE.timestamp, budget));
        tail.samples++;
        break;
      case TIME_SERIES.exemplars:
        series.expect(BYTES, 'TimeSeries.exemplars');
        readMessage(series.message(), 'Exemplar', EXEMPLAR_TYPES, 3, budget);
        tail.exemplars++;
        break;
      case TIME_SERIES.histograms:
        series.expect(BYTES, 'TimeSeries.histograms');
        tail.time(readMessage(series.message(), 'Histogram', HISTOGRAM_TYPES, 15, budget));
        tail.histograms++;
        break;
      default:
        skipNoGroup(series);
    }
  }
}

/** How the value of a field is encoded; a message carries the types of its own fields. */
type FieldType = 'varint' | 'fixed64' | 'bytes' | 'packed varint' | 'packed fixed64' | MessageType;
interface MessageType {
  readonly [field: number]: FieldType;
}

const WIRE_TYPES = { varint: VARINT, fixed64: FIXED64, bytes: BYTES } as const;

const LABEL_TYPES: MessageType = { 1: 'bytes', 2: 'bytes' };
const SAMPLE_TYPES: MessageType = { 1: 'fixed64', 2: 'varint' };
const EXEMPLAR_TYPES: MessageType = { 1: LABEL_TYPES, 2: 'fixed64', 3: 'varint' };
const SPAN_TYPES: MessageType = { 1: 'varint', 2: 'varint' };
const HISTOGRAM_TYPES: MessageType = {
  1: 'varint',
  2: 'fixed64',
  3: 'fixed64',
  4: 'varint',
  5: 'fixed64',
  6: 'varint',
  7: 'fixed64',
  8: SPAN_TYPES,
  9: 'packed varint',
  10: 'packed fixed64',
  11: SPAN_TYPES,
  12: 'packed varint',
  13: 'packed fixed64',
  14: 'varint',
  15: 'varint',
  16: 'packed fixed64',
};

/** Checks one message and returns its timestamp field as a number of ms (0 where absent, as protobuf has it). */
function readMessage(
  message: ProtobufReader,
  name: string,
  types: MessageType,
  timestampField: number,
  budget: FieldBudget | undefined,
): number {
  let timestampMs = 0;
  while (message.next()) {
    budget?.spend();
    const type = types[message.field];
    if (type === undefined) {
      skipNoGroup(message);
      continue;
    }
    const what = `${name} field ${message.field}`;
    if (typeof type === 'object') {
      message.expect(BYTES, what);
      readMessage(message.message(), what, type, -1, budget);
    } else if (type === 'packed varint' || type === 'packed fixed64') {
      readPacked(message, what, type);
    } else {
      message.expect(WIRE_TYPES[type], what);
      if (message.field === timestampField) timestampMs = Number(message.int64());
      else message.skip();
    }
  }
  return timestampMs;
}

/** A repeated number, packed or, as older encoders write it, one field each. */
function readPacked(message: ProtobufReader, what: string, type: 'packed varint' | 'packed fixed64'): void {
  if (message.wireType === BYTES) {
    const items = message.message();
    if (type === 'packed varint') while (items.position < items.end) items.varint();
    else if ((items.end - items.position) % 8 !== 0)
      throw malformed(`${what}: not a whole number of doubles`);
    return;
  }
  message.expect(type === 'packed varint' ? VARINT : FIXED64, what);
  message.skip();
}

function skipNoGroup(reader: ProtobufReader): void {
  if (reader.wireType === START_GROUP || reader.wireType === END_GROUP) {
    throw malformed(
      `field ${reader.field} at byte ${reader.fieldStart} is a group, which protobuf 3 does not have`,
    );
  }
  reader.skip();
}
