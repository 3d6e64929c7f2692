import {
  BYTES,
  END_GROUP,
  FIXED64,
  malformed,
  ProtobufReader,
  START_GROUP,
  VARINT,
} from './protobuf-reader.ts';
import { type FieldBudget, SAMPLE, TAG_SAMPLE, TIME_SERIES } from './write-request.ts';

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
 * @param budget charged for each field off the fast path; an error of its own ends the reading
 */
export function readTail(
  bytes: Uint8Array,
  position: number,
  end: number,
  tail: SeriesTail,
  budget?: FieldBudget,
): void {
  if (!scanSamples(bytes, position, end, tail)) readFields(bytes, position, end, tail, budget);
}

/** A timestamp of six varint bytes: 2^35 … 2^42-1 ms, the years 1971 to 2109. */
const TIME_BYTES = 6;

/**
 * Fast path for nearly every series: samples only, each a value (or none, which means 0) and a timestamp in the range
 * of `TIME_BYTES`, in the usual encoding. False for all else; the content of `tail` is then unspecified.
 */
function scanSamples(bytes: Uint8Array, start: number, end: number, tail: SeriesTail): boolean {
  tail.reset();
  let at = start;
  while (at < end) {
    let time: number;
    if (bytes[at] !== TAG_SAMPLE) return false;
    const size = bytes[at + 1];
    if (size === 9 + 1 + TIME_BYTES && bytes[at + 2] === 0x09) time = at + 12;
    else if (size === 1 + TIME_BYTES) time = at + 3;
    else return false;
    const next = time + TIME_BYTES;
    if (next > end || bytes[time - 1] !== 0x10) return false;
    const b0 = bytes[time]!;
    const b1 = bytes[time + 1]!;
    const b2 = bytes[time + 2]!;
    const b3 = bytes[time + 3]!;
    const b4 = bytes[time + 4]!;
    const b5 = bytes[time + 5]!;
    if ((b0 & b1 & b2 & b3 & b4) < 0x80 || b5 >= 0x80) return false;
    const low = (b0 & 0x7f) | ((b1 & 0x7f) << 7) | ((b2 & 0x7f) << 14) | ((b3 & 0x7f) << 21);
    tail.time(((b4 & 0x7f) | (b5 << 7)) * 2 ** 28 + low);
    tail.samples++;
    at = next;
  }
  return true;
}

/** `readTail` without its fast path: plain and complete. */
export function readFields(
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
