import { PoisonError } from '../model/errors.ts';
import { viewOf } from './bytes.ts';
import { labelBlockEnd } from './label-block.ts';
import { labelsFirst } from './labels-first.ts';
import { BYTES, ProtobufReader } from './protobuf-reader.ts';
import { readTail, SeriesTail } from './series-tail.ts';
import { uncompress } from './snappy.ts';
import { type FieldBudget, SAMPLE, TAG_FIELD_1, TIME_SERIES, WRITE_REQUEST } from './write-request.ts';

/** One TimeSeries, in `[start, end)` of `bytes`. */
export class SeriesBytes {
  readonly bytes: Buffer;
  readonly view: DataView;
  start: number;
  end: number;
  /** The label fields in front are `[start, labelsEnd)`; set by `checked`. */
  labelsEnd: number;
  /** Sums up the fields behind the labels; set by `checked`. */
  readonly tail: SeriesTail;

  constructor(bytes: Buffer, view = viewOf(bytes), end = bytes.length, tail = new SeriesTail()) {
    this.bytes = bytes;
    this.view = view;
    this.start = 0;
    this.end = end;
    this.labelsEnd = 0;
    this.tail = tail;
  }

  /** Samples and histograms. */
  get points(): number {
    return this.tail.samples + this.tail.histograms;
  }

  /**
   * Finds the labels, and checks and counts what follows them. Labels that are not all in front are moved there in a
   * copy, so the result is this object or another one, whose tail is the same object.
   *
   * @param labelsLength bytes of the labels in front, if they are known
   * @param budget see `readTail`
   * @throws PoisonError `protobuf` if the series is malformed, except for the content of its labels
   */
  checked(budget?: FieldBudget, labelsLength = -1): SeriesBytes {
    const { bytes, start, end, tail } = this;
    const labelsEnd = labelsLength < 0 ? labelBlockEnd(bytes, start, end) : start + labelsLength;
    this.labelsEnd = labelsEnd;
    readTail(bytes, labelsEnd, end, tail, budget);
    return tail.hasLabels ? this.#labelsFirst() : this;
  }

  /** The bytes of the series. */
  get whole(): Buffer {
    return this.bytes.subarray(this.start, this.end);
  }

  #labelsFirst(): SeriesBytes {
    const { bytes, labelsEnd } = labelsFirst(this.bytes, this.start, this.end);
    const moved = new SeriesBytes(bytes, viewOf(bytes), bytes.length, this.tail);
    moved.labelsEnd = labelsEnd;
    this.tail.hasLabels = false;
    return moved;
  }
}

/**
 * Every TimeSeries of a WriteRequest whose framing has been checked (`readFraming`), one after another; other fields
 * are passed over. For all but the pipeline, whose own loop (core/pipeline/step.ts) makes no object of a series.
 */
export class SeriesWalk {
  /** The current TimeSeries, not checked. The next call of `next` overwrites it. */
  readonly series: SeriesBytes;
  /** Where the field begins that is, or was to be, passed over last; and where the one after it begins. */
  fieldStart = 0;
  position = 0;
  readonly #budget: FieldBudget | undefined;
  readonly #fields: ProtobufReader;

  /** @param budget charged for each field off the fast path; an error of its own leaves `fieldStart` at the field */
  constructor(body: Buffer, budget?: FieldBudget) {
    this.series = new SeriesBytes(body);
    this.#fields = new ProtobufReader(body);
    this.#budget = budget;
  }

  /** Goes to the next TimeSeries. False at the end. @throws PoisonError `protobuf` if the framing is broken */
  next(): boolean {
    const { series } = this;
    const { bytes } = series;
    const most = bytes.length;
    while (this.position < most) {
      const field = this.position;
      this.fieldStart = field;
      if (bytes[field] === TAG_FIELD_1) {
        // Fast path: a length of up to four bytes. All else, and all that is wrong, is left to the reader below.
        let start = field + 1;
        let byte = bytes[start++]!;
        let length = byte & 0x7f;
        for (let shift = 7; byte >= 0x80 && shift < 28; shift += 7) {
          byte = bytes[start++]!;
          length |= (byte & 0x7f) << shift;
        }
        const end = start + length;
        if (byte < 0x80 && end <= most) {
          series.start = start;
          series.end = end;
          this.position = end;
          return true;
        }
      }
      if (this.#readField()) return true;
    }
    return false;
  }

  /** Reads the field at `position`; returns whether it is a TimeSeries. */
  #readField(): boolean {
    const fields = this.#fields;
    fields.position = this.position;
    fields.next();
    this.#budget?.spend();
    const isSeries = fields.field === WRITE_REQUEST.timeseries;
    if (isSeries) {
      fields.expect(BYTES, 'WriteRequest.timeseries');
      this.series.start = fields.block();
      this.series.end = fields.position;
    } else fields.skip();
    this.position = fields.position;
    return isSeries;
  }
}

/** Every TimeSeries of a WriteRequest, checked, its labels in front. Each is valid until the next one is asked for. */
export function* seriesOf(body: Buffer): Generator<SeriesBytes, void> {
  for (const walk = new SeriesWalk(body); walk.next(); ) yield walk.series.checked();
}

/** The samples of a TimeSeries that has been checked, in their order; times in ms since the epoch. */
export function* samplesOf({ bytes, labelsEnd, end }: Readonly<SeriesBytes>): Generator<PlainSample, void> {
  for (const fields = new ProtobufReader(bytes, labelsEnd, end); fields.next(); ) {
    if (fields.field !== TIME_SERIES.samples) {
      fields.skip();
      continue;
    }
    let value = 0;
    let timestamp = 0n;
    for (const sample = fields.message(); sample.next(); ) {
      if (sample.field === SAMPLE.value) value = sample.double();
      else if (sample.field === SAMPLE.timestamp) timestamp = sample.int64();
      else sample.skip();
    }
    yield { timestamp, value };
  }
}

export interface PlainSample {
  readonly timestamp: bigint;
  readonly value: number;
}

/** Most bytes of a request whose samples are counted, before compression. */
const MAX_BYTES = 256 * 1024 * 1024;

/** Number of samples and native histograms in a snappy WriteRequest; undefined if it is invalid. */
export function samplesIn(snappy: Buffer): number | undefined {
  let count = 0;
  try {
    for (const series of seriesOf(uncompress(snappy, MAX_BYTES))) count += series.points;
    return count;
  } catch (error) {
    if (error instanceof PoisonError) return undefined;
    throw error;
  }
}
