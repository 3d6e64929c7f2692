import type { LabelFields } from '../../wire/label-fields.ts';
import type { DecodeContext } from '../decoder.ts';
import type { RecordArguments } from '../record-arguments.ts';
import {
  BACKSLASH,
  CLOSE_BRACE,
  COMMA,
  EQUALS,
  find,
  findBlank,
  HASH,
  OPEN_BRACE,
  QUOTE,
  Scratch,
  SPACE,
  skipBlanks,
  TAB,
  trimBlanks,
  unescapeText,
} from './byte-text.ts';
import { LineDecoder, NAME } from './line-decoder.ts';
import { parseFloat64 } from './number.ts';
import { PROMETHEUS_ESCAPES, PrometheusMetadata } from './prometheus-metadata.ts';

const COLON = 0x3a;

/**
 * Prometheus' text format (prometheus.io/docs/instrumenting/exposition_formats) and OpenMetrics, quoted UTF-8 names
 * included: `name{label="value"} 1.5 1700000000000`. A time below 2^31 is in seconds, as in OpenMetrics, else in ms; if
 * it is absent or 0, it is the record's argument `timestamp`, or the record's own time.
 *
 * HELP and TYPE become metadata. Exemplars are counted, not carried. `# EOF` is a comment: what comes after it, as in
 * joined texts, is read too.
 */
export class PrometheusTextDecoder extends LineDecoder {
  readonly name = 'prometheus_text';
  readonly contentTypes = ['text/plain', 'application/openmetrics-text'];
  readonly #metadata = new PrometheusMetadata(this.builder);
  readonly #key = new Scratch();
  readonly #value = new Scratch();
  #receiptMs = 0;
  #extra!: LabelFields;

  /** The format was guessed from the bytes. */
  #isGuess = false;

  protected begin(context: DecodeContext, args: RecordArguments): void {
    this.#isGuess = context.isGuess === true;
    this.#receiptMs = args.timestamp ?? context.timestamp;
    this.#extra = args.labels;
    this.#metadata.begin(context.budget);
  }

  protected override end(): void {
    this.#metadata.end();
  }

  protected line(body: Buffer, start: number, end: number): string | undefined {
    const nameStart = skipBlanks(body, start, end);
    if (nameStart === end) return undefined;
    if (body[nameStart] === HASH) {
      this.#metadata.line(body, nameStart, end);
      return undefined;
    }
    this.#metadata.end();
    const { labels } = this;
    labels.clear();
    let position: number;
    const brace = labelsStart(body, nameStart, end);
    if (brace >= 0) {
      const nameEnd = trimBlanks(body, nameStart, brace);
      // `up 1 {a="b"} 2` has no series that is called "up 1".
      if (findBlank(body, nameStart, nameEnd) >= 0) return 'there is a space in the name before the labels';
      if (nameEnd > nameStart) labels.label(NAME, 0, NAME.length, body, nameStart, nameEnd);
      position = this.#readLabels(body, brace + 1, end, nameEnd > nameStart);
      if (position < 0) return FAULTS[position];
    } else {
      position = findBlank(body, nameStart, end);
      if (position < 0) return 'there is no value behind the name';
      if (this.#isGuess && body[position - 1] === COLON)
        return 'the name ends with a colon, as keys of YAML and words of logs do';
      labels.label(NAME, 0, NAME.length, body, nameStart, position);
    }
    return this.#readSample(body, position, end);
  }

  /** Reads the value, the time and a comment. */
  #readSample(body: Buffer, start: number, end: number): string | undefined {
    const valueStart = skipBlanks(body, start, end);
    const comment = find(body, valueStart, end, HASH);
    const stop = comment < 0 ? end : comment;
    let valueEnd = findBlank(body, valueStart, stop);
    if (valueEnd < 0) valueEnd = stop;
    if (valueEnd === valueStart) return 'there is no value';
    const value = parseFloat64(body, valueStart, valueEnd);
    if (value === undefined) return 'the value is not a number';
    const timeStart = skipBlanks(body, valueEnd, stop);
    let timestamp = 0;
    if (timeStart < stop) {
      const time = parseFloat64(body, timeStart, trimBlanks(body, timeStart, stop));
      if (time === undefined || !(Math.abs(time) < 2 ** 63)) return 'the timestamp is not a number';
      timestamp = time >= -(2 ** 31) && time < 2 ** 31 ? secondsToMs(time) : Math.trunc(time);
    }
    this.builder.sampleSeries(this.labels, this.#extra, value, timestamp === 0 ? this.#receiptMs : timestamp);
    if (comment >= 0) this.#countExemplars(body, comment, end);
    return undefined;
  }

  /** Counts the exemplars after a sample: `# {trace_id="a"} 0.5 1700000000`, in OpenMetrics 2.0 one after the other. */
  #countExemplars(body: Buffer, comment: number, end: number): void {
    for (let hash = comment; hash >= 0; ) {
      let at = skipBlanks(body, hash + 1, end);
      if (at === end || body[at] !== OPEN_BRACE) return;
      this.uncarried.add('exemplars');
      for (at++; at < end && body[at] !== CLOSE_BRACE; at++) {
        if (body[at] !== QUOTE) continue;
        at = closingQuote(body, at + 1, end);
        if (at < 0) return;
      }
      hash = find(body, at, end, HASH);
    }
  }

  /**
   * Reads the labels after the opening brace, and the name if it is among them in quotes. Returns the position after
   * the closing brace, or a negative fault.
   */
  #readLabels(body: Buffer, start: number, end: number, named: boolean): number {
    let hasName = named;
    let position = start;
    for (;;) {
      const keyStart = skipBlanks(body, position, end);
      const quote = findQuoteOrClose(body, keyStart, end);
      if (quote < 0) return NO_VALUE;
      // The labels end at once or after a comma. A quote that comes later belongs to an exemplar.
      if (body[quote] === CLOSE_BRACE) {
        if (quote > keyStart) return NO_VALUE;
        return hasName ? quote + 1 : NO_NAME;
      }
      let key = body;
      let keyFrom = keyStart;
      let keyTo = trimBlanks(body, keyStart, quote);
      if (keyTo === keyStart) {
        // A name in quotes: of a label, or of the metric itself.
        keyFrom = quote + 1;
        keyTo = closingQuote(body, keyFrom, end);
        if (keyTo < 0) return NO_QUOTE;
        position = skipBlanks(body, keyTo + 1, end);
        if (this.hasBackslash && unescapeText(this.#key, body, keyFrom, keyTo, PROMETHEUS_ESCAPES)) {
          key = this.#key.bytes;
          keyFrom = 0;
          keyTo = this.#key.length;
        }
        const next = position < end ? body[position] : undefined;
        if (next === COMMA || next === CLOSE_BRACE) {
          if (hasName) return TWO_NAMES;
          if (keyTo > keyFrom) {
            this.labels.label(NAME, 0, NAME.length, key, keyFrom, keyTo);
            hasName = true;
          }
          if (next === COMMA && position + 1 < end) position++;
          continue;
        }
        if (next !== EQUALS) return NO_VALUE;
        position = skipBlanks(body, position + 1, end);
        if (body[position] !== QUOTE || position === end) return NO_VALUE;
      } else {
        if (body[keyTo - 1] !== EQUALS) return NO_VALUE;
        keyTo = trimBlanks(body, keyStart, keyTo - 1);
        position = quote;
      }
      const valueStart = position + 1;
      const valueEnd = closingQuote(body, valueStart, end);
      if (valueEnd < 0) return NO_QUOTE;
      if (keyTo > keyFrom) this.#label(key, keyFrom, keyTo, body, valueStart, valueEnd);
      position = skipBlanks(body, valueEnd + 1, end);
      const next = position < end ? body[position] : undefined;
      if (next === CLOSE_BRACE) return hasName ? position + 1 : NO_NAME;
      if (next !== COMMA) return NO_COMMA;
      position++;
    }
  }

  #label(key: Buffer, keyFrom: number, keyTo: number, body: Buffer, start: number, end: number): void {
    if (this.hasBackslash && unescapeText(this.#value, body, start, end, PROMETHEUS_ESCAPES)) {
      this.labels.label(key, keyFrom, keyTo, this.#value.bytes, 0, this.#value.length);
    } else {
      this.labels.label(key, keyFrom, keyTo, body, start, end);
    }
  }
}

const NO_VALUE = -1;
const NO_QUOTE = -2;
const NO_COMMA = -3;
const NO_NAME = -4;
const TWO_NAMES = -5;
const FAULTS: Readonly<Record<number, string>> = {
  [NO_VALUE]: 'a label has no quoted value, or the closing brace is missing',
  [NO_QUOTE]: 'a closing quote is missing',
  [NO_COMMA]: 'there is no comma or closing brace behind a label',
  [NO_NAME]: 'the metric has no name',
  [TWO_NAMES]: 'the metric has two names',
};

/**
 * The brace that opens the labels; -1 if the line has none. That of an exemplar does not count: it comes after a `#`,
 * and that after a blank, where a name cannot have it.
 */
function labelsStart(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let byte = 0;
  // Fast path: nearly always the brace follows the name directly.
  while (at < end && (byte = bytes[at]!) > SPACE) {
    if (byte === OPEN_BRACE) return at;
    at++;
  }
  let blank = false;
  for (; at < end; at++) {
    byte = bytes[at]!;
    if (byte === OPEN_BRACE) return at;
    if (byte === SPACE || byte === TAB) blank = true;
    else if (byte === HASH && blank) return -1;
  }
  return -1;
}

/** The first quote or closing brace. */
function findQuoteOrClose(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE || byte === CLOSE_BRACE) return at;
  }
  return -1;
}

/** Whole ms, truncated. 1700000000.123 is 1700000000122.9998 ms in doubles, which must not become the ms before. */
function secondsToMs(seconds: number): number {
  return Math.trunc(seconds * 1000 + (seconds < 0 ? -0.0005 : 0.0005));
}

/** The quote that ends a text that begins at `start`; -1 if there is none. */
function closingQuote(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at++;
  }
  return -1;
}
