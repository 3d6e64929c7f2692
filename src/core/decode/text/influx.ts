import { LabelFields } from '../../wire/label-fields.ts';
import { DEFAULT_INFLUX, type InfluxOptions } from '../decode-options.ts';
import type { DecodeContext } from '../decoder.ts';
import { MAX_EXPANSION } from '../output-limit.ts';
import type { RecordArguments } from '../record-arguments.ts';
import {
  BACKSLASH,
  COMMA,
  EQUALS,
  escapes,
  HASH,
  QUOTE,
  Scratch,
  SPACE,
  skipBlanks,
  skipSpaces,
  unescapeText,
} from './byte-text.ts';
import { InfluxTime } from './influx-time.ts';
import { LineDecoder, NAME } from './line-decoder.ts';
import { parseFloat64OrZero, parseInt64, parseUint64 } from './number.ts';

/** A backslash is removed before these, and kept before anything else. */
const ESCAPES = escapes(' ,=\\', ' ,=\\');

/**
 * Influx line protocol (docs.influxdata.com, "Line protocol reference"): `measurement,tag=a field=1,other=2 time`.
 * Each field is a series, named `measurement_field`, with the tags as labels, as vmagent makes them.
 *
 * The record's arguments `precision`, `db` and `extra_label` mean what they mean in vmagent's URL.
 */
export class InfluxDecoder extends LineDecoder {
  readonly name = 'influx';
  readonly contentTypes = ['application/x-influx-line-protocol', 'text/x-influx-line-protocol'];
  readonly #options: InfluxOptions;
  readonly #separator: Buffer;
  readonly #dbLabel: Buffer;
  readonly #time: InfluxTime;
  #extra = new LabelFields();
  #db = Buffer.alloc(0);
  /** Tags of the current line, and key and value of each of its fields. */
  readonly #tags = new LabelFields();
  readonly #keyStarts: number[] = [];
  readonly #keyEnds: number[] = [];
  readonly #values: number[] = [];
  readonly #metric = new Scratch();
  readonly #key = new Scratch();
  readonly #value = new Scratch();
  #hasDbTag = false;
  /**
   * Whether an unclosed quote sets a line aside: if the format was only guessed, and after the beginning of a text with
   * a line break in it, of which the line may be the end. Else the quote is a character, as in vmagent.
   */
  #isDoubtful = false;
  /** The format was guessed from the bytes. */
  #isGuess = false;

  constructor(options: Partial<InfluxOptions> = {}) {
    super();
    this.#options = { ...DEFAULT_INFLUX, ...options };
    this.#separator = Buffer.from(this.#options.measurement_field_separator);
    this.#dbLabel = Buffer.from(this.#options.db_label);
    this.#time = new InfluxTime(this.#options.trim_timestamp_ms);
  }

  protected begin(context: DecodeContext, args: RecordArguments): void {
    this.#isGuess = this.#isDoubtful = context.isGuess === true;
    this.#extra = args.labels;
    this.#db = Buffer.from(args.db);
    this.#time.begin(context.timestamp, args.precision ?? this.#options.precision);
  }

  protected line(body: Buffer, start: number, end: number): string | undefined {
    if (body[start]! <= HASH && body[skipBlanks(body, start, end)] === HASH) return undefined;
    const measurementEnd = unescapedEnd(body, start, end, COMMA);
    if (measurementEnd === end) return 'there is no space between the measurement and the fields';
    if (this.#isGuess && unescapedKeyEnd(body, start, measurementEnd) < measurementEnd)
      return 'the measurement has a "=" without a backslash, as lines of logs have';
    const fieldsAt = this.#readTags(body, measurementEnd, end);
    if (fieldsAt < 0)
      return fieldsAt === NO_VALUE ? 'a tag has no value' : 'there is no space before the fields';
    const fault = this.#readFields(body, skipSpaces(body, fieldsAt + 1, end), end);
    if (fault !== undefined) return fault;
    const timestamp = this.#time.read(body, this.#fieldsEnd, end);
    if (timestamp === undefined) return 'the timestamp is not a whole number, or its ms do not fit 64 bits';
    return this.#build(body, start, measurementEnd, timestamp, end - start);
  }

  /** Reads tags from `at`, the end of the measurement. Returns the space after them, or a negative fault. */
  #readTags(body: Buffer, at: number, end: number): number {
    this.#tags.clear();
    this.#hasDbTag = false;
    let position = at;
    while (body[position] === COMMA) {
      const keyStart = position + 1;
      const equals = unescapedKeyEnd(body, keyStart, end);
      if (equals === end) return NO_SPACE;
      if (body[equals] !== EQUALS) return NO_VALUE;
      position = unescapedEnd(body, equals + 1, end, COMMA);
      if (position === end) return NO_SPACE;
      if (equals > keyStart && position > equals + 1) this.#tag(body, keyStart, equals, position);
    }
    return position;
  }

  #tag(body: Buffer, keyStart: number, equals: number, valueEnd: number): void {
    let key = body;
    let from = keyStart;
    let to = equals;
    let value = body;
    let valueFrom = equals + 1;
    let valueTo = valueEnd;
    if (this.hasBackslash) {
      if (unescapeText(this.#key, body, from, to, ESCAPES)) {
        key = this.#key.bytes;
        from = 0;
        to = this.#key.length;
      }
      if (unescapeText(this.#value, body, valueFrom, valueTo, ESCAPES)) {
        value = this.#value.bytes;
        valueFrom = 0;
        valueTo = this.#value.length;
      }
    }
    this.#tags.label(key, from, to, value, valueFrom, valueTo);
    if (this.#db.length > 0 && this.#dbLabel.compare(key, from, to) === 0) this.#hasDbTag = true;
  }

  /** The end of the fields: a space, or the end of the line. */
  #fieldsEnd = 0;

  #readFields(body: Buffer, start: number, end: number): string | undefined {
    this.#keyStarts.length = 0;
    this.#keyEnds.length = 0;
    this.#values.length = 0;
    let position = start;
    for (;;) {
      const keyStart = position;
      let equals = -1;
      let quoted = false;
      for (; position < end; position++) {
        const byte = body[position];
        if (byte === BACKSLASH) position++;
        else if (byte === QUOTE) quoted = !quoted;
        else if (byte === EQUALS) {
          if (equals < 0) equals = position;
        } else if ((byte === COMMA || byte === SPACE) && !quoted) break;
      }
      if (position > end) position = end;
      if (quoted && this.#isDoubtful) return NO_QUOTE;
      if (equals < 0) return 'a field has no value';
      if (equals === keyStart) return 'a field has no name';
      const value = parseFieldValue(body, equals + 1, position);
      if (typeof value === 'string') {
        this.#isDoubtful ||= quoted;
        return value;
      }
      this.#keyStarts.push(keyStart);
      this.#keyEnds.push(equals);
      this.#values.push(value);
      if (this.#values.length > MOST_FIELDS) return `the line has more than ${MOST_FIELDS} fields`;
      if (body[position] !== COMMA || position === end) break;
      position++;
    }
    this.#fieldsEnd = position;
    return undefined;
  }

  #build(
    body: Buffer,
    measurementStart: number,
    measurementEnd: number,
    timestamp: number | bigint,
    lineBytes: number,
  ): string | undefined {
    const { labels } = this;
    const metric = this.#metric;
    const tags = this.#tags;
    const fields = this.#values.length;
    if (this.#db.length > 0 && !this.#hasDbTag) tags.add(this.#dbLabel, this.#db);
    if (this.#extra.length > 0) tags.append(this.#extra);
    if (
      fields > 1 &&
      fields * (tags.length + measurementEnd - measurementStart) > MAX_EXPANSION * lineBytes
    ) {
      return `the line has ${fields} fields, which with all tags become over ${MAX_EXPANSION} times its size; send fewer fields a line`;
    }
    const only = fields === 1 && this.#options.skip_single_field && measurementEnd > measurementStart;
    metric.clear();
    if (!this.#options.skip_measurement) {
      if (!(this.hasBackslash && unescapeText(metric, body, measurementStart, measurementEnd, ESCAPES)))
        metric.append(body, measurementStart, measurementEnd);
      if (metric.length > 0 && !only) metric.append(this.#separator, 0, this.#separator.length);
    }
    const prefix = metric.length;
    for (let i = 0; i < fields; i++) {
      metric.length = prefix;
      if (!only) {
        const start = this.#keyStarts[i]!;
        const end = this.#keyEnds[i]!;
        if (this.hasBackslash && unescapeText(this.#key, body, start, end, ESCAPES))
          metric.append(this.#key.bytes, 0, this.#key.length);
        else metric.append(body, start, end);
      }
      labels.clear();
      labels.label(NAME, 0, NAME.length, metric.bytes, 0, metric.length);
      this.builder.sampleSeries(labels, tags, this.#values[i]!, timestamp);
    }
    return undefined;
  }
}

/** Most fields of one line: each is kept until the line's timestamp is read. */
const MOST_FIELDS = 1_000_000;
const NO_VALUE = -1;
const NO_SPACE = -2;

/** The first unescaped space or `other`; the end if there is none. */
function unescapedEnd(bytes: Uint8Array, start: number, end: number, other: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte === SPACE || byte === other) return at;
    if (byte === BACKSLASH) at++;
  }
  return end;
}

/** The first unescaped `=`, comma or space; the end if there is none. */
function unescapedKeyEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte === EQUALS || byte === COMMA || byte === SPACE) return at;
    if (byte === BACKSLASH) at++;
  }
  return end;
}

export const NO_QUOTE = 'a quoted field value has no closing quote; is there a raw newline in it?';
const LETTER_I = 0x69;
const LETTER_U = 0x75;

/**
 * The value of an Influx field as a number, or its fault as text. `1i` and `1u` are whole numbers, `t` and `f` with
 * their longer forms are 1 and 0; other words, and quoted text that is not a number, are 0, as in vmagent.
 */
function parseFieldValue(body: Buffer, start: number, end: number): number | string {
  if (start >= end) return 'a field has an empty value';
  const last = body[end - 1];
  if (body[start] === QUOTE) {
    if (end - start < 2 || last !== QUOTE) {
      return NO_QUOTE;
    }
    return parseFloat64OrZero(body, start + 1, end - 1);
  }
  if (last === LETTER_I || last === LETTER_U) {
    const value = last === LETTER_I ? parseInt64(body, start, end - 1) : parseUint64(body, start, end - 1);
    return value === undefined ? 'a whole-number field value does not fit 64 bits' : Number(value);
  }
  // A number begins with a digit, dot, sign or the letter of inf and nan; true begins with t.
  const first = body[start]! | 0x20;
  if (first === 0x74) return TRUE.has(body.toString('latin1', start, Math.min(end, start + 5))) ? 1 : 0;
  return parseFloat64OrZero(body, start, end);
}

const TRUE: ReadonlySet<string> = new Set(['t', 'T', 'true', 'True', 'TRUE']);
