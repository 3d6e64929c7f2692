import { PoisonError } from '../../model/errors.ts';
import { ByteSink } from '../../wire/byte-sink.ts';
import { viewOf } from '../../wire/bytes.ts';
import { BYTES, ProtobufReader, VARINT } from '../../wire/protobuf-reader.ts';
import { readTail, SeriesTail } from '../../wire/series-tail.ts';
import { varintLength } from '../../wire/write-request-builder.ts';
import type { ByteRanges } from '../byte-ranges.ts';
import { limitOutput } from '../output-limit.ts';
import type { RecordBudget } from '../record-budget.ts';
import type { Uncarried } from '../uncarried.ts';
import type { BadExemplar } from './v2-rejects.ts';

/** Fields of io.prometheus.write.v2's messages. */
const SERIES = { labelsRefs: 1, samples: 2, histograms: 3, exemplars: 4, metadata: 5, created: 6 } as const;
const EXEMPLAR = { labelsRefs: 1 } as const;
const METADATA = { type: 1, help: 3, unit: 4 } as const;
/** Fields of 2.0's start timestamps, which 1.0 does not have. */
const SAMPLE_START = 3;
const HISTOGRAM_START = 17;

/** Tags of 1.0: WriteRequest.timeseries and TimeSeries.labels, TimeSeries.samples, .exemplars, .histograms. */
const TAG_LABEL = 0x0a;
const TAG_SAMPLE = 0x12;
const TAG_EXEMPLAR = 0x1a;
const TAG_HISTOGRAM = 0x22;
/** Tags of Label.name and Label.value. */
const TAG_NAME = 0x0a;
const TAG_VALUE = 0x12;

/** Writes the series of one 2.0 request as those of a 1.0 WriteRequest. */
export class SeriesWriter {
  readonly #body: Buffer;
  readonly #view: DataView;
  readonly #symbols: ByteRanges;
  readonly #uncarried: Uncarried;
  readonly #largest: number;
  readonly #out: ByteSink;
  readonly #budget: RecordBudget | undefined;
  readonly #tail = new SeriesTail();
  #references = new Uint32Array(64);
  #referenceCount = 0;

  constructor(
    body: Buffer,
    symbols: ByteRanges,
    uncarried: Uncarried,
    largest: number,
    budget?: RecordBudget,
  ) {
    this.#body = body;
    this.#view = viewOf(body);
    this.#symbols = symbols;
    this.#uncarried = uncarried;
    this.#largest = largest;
    this.#budget = budget;
    this.#out = new ByteSink(Math.max(256, body.length * 2));
  }

  /**
   * Writes the TimeSeries in `[start, end)` and returns the exemplars that had to be left out, if there are any.
   * Throws PoisonError if it cannot be used; then nothing of it is written.
   */
  write(start: number, end: number): BadExemplar[] | undefined {
    const out = this.#out;
    const before = out.length;
    try {
      return this.#write(start, end);
    } catch (error) {
      out.length = before;
      throw error;
    }
  }

  finish(): Buffer {
    return this.#out.finish();
  }

  #write(start: number, end: number): BadExemplar[] | undefined {
    const tailStart = this.#readReferences(start, end);
    const labels = this.#labelsLength();
    const out = this.#out;
    const reserved = varintLength(labels + end - tailStart);
    limitOutput(out.length + labels + end - start, this.#largest);
    out.reserve(1 + reserved + labels);
    out.byte(TAG_LABEL);
    out.length += reserved;
    const contentStart = out.length;
    this.#writeLabels();
    const bad = this.#writeTail(tailStart, end);
    out.closeMessage(contentStart, reserved);
    return bad;
  }

  /** Reads all label references; returns the start of the fields after the first run of them. */
  #readReferences(start: number, end: number): number {
    this.#referenceCount = 0;
    const reader = new ProtobufReader(this.#body, start, end);
    let tailStart = start;
    let leading = true;
    while (reader.next()) {
      this.#budget?.spend(0.1);
      if (reader.field === SERIES.labelsRefs) {
        this.#referenceField(reader, 'TimeSeries.labels_refs');
        if (leading) tailStart = reader.position;
      } else {
        leading = false;
        reader.skip();
      }
    }
    return tailStart;
  }

  /** Adds the references of the field just read: packed, or one, as older encoders write them. */
  #referenceField(reader: ProtobufReader, what: string): void {
    if (reader.wireType === VARINT) {
      this.#reference(reader.varint());
      return;
    }
    reader.expect(BYTES, what);
    const from = reader.block();
    const body = this.#body;
    const to = reader.position;
    for (let at = from; at < to; ) {
      // Fast path: references below 16384, which is two bytes.
      const low = body[at]!;
      if (low < 0x80) {
        this.#reference(low);
        at++;
        continue;
      }
      if (at + 1 < to && body[at + 1]! < 0x80) {
        this.#reference((low & 0x7f) | (body[at + 1]! << 7));
        at += 2;
        continue;
      }
      const item = new ProtobufReader(body, at, to);
      this.#reference(item.varint());
      at = item.position;
    }
  }

  #reference(index: number): void {
    if (this.#referenceCount === this.#references.length) {
      const grown = new Uint32Array(this.#references.length * 2);
      grown.set(this.#references);
      this.#references = grown;
    }
    // A uint32 field keeps the low 32 bits of a longer varint, as in protobuf.
    this.#references[this.#referenceCount++] = index;
  }

  /** Bytes of the labels as 1.0 fields. Throws if the number of references is odd, or one points outside the table. */
  #labelsLength(): number {
    const count = this.#referenceCount;
    const symbols = this.#symbols;
    if (count % 2 !== 0) {
      const message = `${count} label references: they come in pairs of name and value`;
      throw new PoisonError('decode', 'label_references', message);
    }
    let length = 0;
    for (let i = 0; i < count; i += 2) {
      const size = this.#labelLength(this.#references[i]!, this.#references[i + 1]!);
      length += 1 + varintLength(size) + size;
    }
    if (symbols.count === 0) throw outside('the metadata', 0, 0);
    return length;
  }

  #labelLength(name: number, value: number): number {
    const symbols = this.#symbols;
    if (name >= symbols.count) throw outside('a label name', name, symbols.count);
    if (value >= symbols.count) throw outside('a label value', value, symbols.count);
    const nameLength = symbols.end(name) - symbols.start(name);
    const valueLength = symbols.end(value) - symbols.start(value);
    return 2 + varintLength(nameLength) + nameLength + varintLength(valueLength) + valueLength;
  }

  #writeLabels(): void {
    const out = this.#out;
    const view = this.#view;
    const symbols = this.#symbols;
    for (let i = 0; i < this.#referenceCount; i += 2) {
      const name = this.#references[i]!;
      const value = this.#references[i + 1]!;
      out.byte(TAG_LABEL);
      out.varint(this.#labelLength(name, value));
      const nameStart = symbols.start(name);
      out.field(TAG_NAME, view, nameStart, symbols.end(name) - nameStart);
      const valueStart = symbols.start(value);
      out.field(TAG_VALUE, view, valueStart, symbols.end(value) - valueStart);
    }
  }

  #writeTail(start: number, end: number): BadExemplar[] | undefined {
    const out = this.#out;
    const tailStart = out.length;
    const reader = new ProtobufReader(this.#body, start, end);
    let bad: BadExemplar[] | undefined;
    let unknown = 0;
    while (reader.next()) {
      this.#budget?.spend(0.1);
      switch (reader.field) {
        case SERIES.labelsRefs:
          reader.skip();
          break;
        case SERIES.samples:
          reader.expect(BYTES, 'TimeSeries.samples');
          this.#writeMessage(TAG_SAMPLE, reader.block(), reader.position, SAMPLE_START);
          break;
        case SERIES.histograms:
          reader.expect(BYTES, 'TimeSeries.histograms');
          this.#writeMessage(TAG_HISTOGRAM, reader.block(), reader.position, HISTOGRAM_START);
          break;
        case SERIES.exemplars:
          reader.expect(BYTES, 'TimeSeries.exemplars');
          try {
            this.#writeExemplar(reader.message());
          } catch (error) {
            if (!(error instanceof PoisonError) || !SYMBOL_FAULTS.includes(error.reason)) throw error;
            this.#budget?.fault();
            bad ??= [];
            bad.push({
              message: `exemplar: ${error.message}`,
              start: reader.fieldStart,
              end: reader.position,
            });
          }
          break;
        case SERIES.metadata:
          reader.expect(BYTES, 'TimeSeries.metadata');
          this.#checkMetadata(reader.message());
          break;
        case SERIES.created:
          reader.expect(VARINT, 'TimeSeries.created_timestamp');
          if (reader.int64() !== 0n) this.#uncarried.add('start_timestamp');
          break;
        default:
          reader.skip();
          unknown++;
      }
    }
    if (unknown > 0) {
      if (out.length === tailStart && bad === undefined) throw onlyUnknown(unknown);
      this.#uncarried.add('unknown_field', unknown);
    }
    // Finds a wrong byte in a sample here, where it refuses this series alone.
    const tail = this.#tail;
    readTail(out.bytes, tailStart, out.length, tail, this.#budget);
    return bad;
  }

  /** Writes a sample or histogram: its fields are those of 1.0, byte for byte, except for the start timestamp. */
  #writeMessage(tag: number, start: number, end: number, startTimestampField: number): void {
    const out = this.#out;
    // Fast path: a value and a present-day timestamp, and nothing else.
    if (tag === TAG_SAMPLE && end - start === 16 && isPlainSample(this.#body, start)) {
      out.field(tag, this.#view, start, 16);
      return;
    }
    out.byte(tag);
    const reserved = varintLength(end - start);
    out.reserve(reserved);
    out.length += reserved;
    const contentStart = out.length;
    const fields = new ProtobufReader(this.#body, start, end);
    while (fields.next()) {
      this.#budget?.spend(0.1);
      if (fields.field === startTimestampField) {
        fields.expect(VARINT, 'start_timestamp');
        if (fields.int64() !== 0n) this.#uncarried.add('start_timestamp');
        continue;
      }
      fields.skip();
      out.copy(this.#view, fields.fieldStart, fields.position - fields.fieldStart);
    }
    out.closeMessage(contentStart, reserved);
  }

  /** Writes an exemplar. Value and timestamp are fields of 1.0; the references, in any place, become labels. */
  #writeExemplar(fields: ProtobufReader): void {
    const out = this.#out;
    const before = out.length;
    try {
      out.byte(TAG_EXEMPLAR);
      out.byte(0);
      const contentStart = out.length;
      this.#referenceCount = 0;
      while (fields.next()) {
        if (fields.field === EXEMPLAR.labelsRefs) {
          this.#referenceField(fields, 'Exemplar.labels_refs');
        } else {
          fields.skip();
          out.copy(this.#view, fields.fieldStart, fields.position - fields.fieldStart);
        }
      }
      limitOutput(out.length + this.#labelsLength(), this.#largest);
      this.#writeLabels();
      out.closeMessage(contentStart, 1);
    } catch (error) {
      out.length = before;
      throw error;
    }
  }

  #checkMetadata(fields: ProtobufReader): void {
    let help = 0;
    let unit = 0;
    let any = false;
    while (fields.next()) {
      if (
        fields.field === METADATA.help ||
        fields.field === METADATA.unit ||
        fields.field === METADATA.type
      ) {
        fields.expect(VARINT, `Metadata field ${fields.field}`);
        const value = fields.varint() >>> 0;
        any ||= value !== 0;
        if (fields.field === METADATA.help) help = value;
        else if (fields.field === METADATA.unit) unit = value;
      } else fields.skip();
    }
    const count = this.#symbols.count;
    if (help >= count) throw outside('the help text', help, count);
    if (unit >= count) throw outside('the unit', unit, count);
    if (any) this.#uncarried.add('metadata');
  }
}

/** Faults of an exemplar that leave its series intact; broken bytes do not. */
const SYMBOL_FAULTS: readonly string[] = ['label_references', 'symbol_reference'];

/** A value (field 1), then a timestamp (field 2) of six varint bytes, which is all that fits in 16 bytes. */
function isPlainSample(body: Uint8Array, start: number): boolean {
  if (body[start] !== 0x09 || body[start + 9] !== 0x10) return false;
  for (let at = start + 10; at < start + 15; at++) if (body[at]! < 0x80) return false;
  return body[start + 15]! < 0x80;
}

function outside(what: string, index: number, count: number): PoisonError {
  const message = `the reference ${index} of ${what} points outside the table of ${count} symbols`;
  return new PoisonError('decode', 'symbol_reference', message);
}

function onlyUnknown(count: number): PoisonError {
  const message = `the series has no samples, and ${count} fields that remote write 2.0 does not know`;
  return new PoisonError('decode', 'unknown_fields', message);
}
