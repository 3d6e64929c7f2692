import { isUtf8 } from 'node:buffer';
import type { LabelFields } from '../../wire/label-fields.ts';
import { DEFAULT_GRAPHITE, type GraphiteOptions } from '../decode-options.ts';
import type { DecodeContext } from '../decoder.ts';
import type { RecordArguments } from '../record-arguments.ts';
import {
  EQUALS,
  find,
  findBlank,
  findLastBlank,
  HASH,
  Scratch,
  SEMICOLON,
  skipBlanks,
  trimBlanks,
} from './byte-text.ts';
import { LineDecoder, NAME } from './line-decoder.ts';
import { parseFloat64 } from './number.ts';

/**
 * Graphite's plaintext protocol with tags (graphite.readthedocs.io, "Feeding In Your Data" and "Tag support"):
 * `path;tag=value 1.5 1700000000`, the time in seconds. Fields are taken from the end of the line, so a path may hold
 * spaces; a time that is absent, 0 or -1 is the record's. If the format was only guessed, a path with spaces is
 * refused: any line of a log that ends with two numbers would be a series.
 */
export class GraphiteDecoder extends LineDecoder {
  readonly name = 'graphite';
  readonly contentTypes = ['application/x-graphite', 'text/x-graphite'];
  readonly #options: GraphiteOptions;
  readonly #sanitized = new Scratch();
  #receiptMs = 0;
  #isGuess = false;
  #extra!: LabelFields;

  constructor(options: Partial<GraphiteOptions> = {}) {
    super();
    this.#options = { ...DEFAULT_GRAPHITE, ...options };
  }

  protected begin(context: DecodeContext, args: RecordArguments): void {
    this.#isGuess = context.isGuess === true;
    this.#receiptMs = Math.floor(context.timestamp / 1000) * 1000;
    this.#extra = args.labels;
  }

  protected line(body: Buffer, start: number, end: number): string | undefined {
    const pathStart = skipBlanks(body, start, end);
    if (pathStart === end || body[pathStart] === HASH) return undefined;
    const lastEnd = trimBlanks(body, pathStart, end);
    const lastBlank = findLastBlank(body, pathStart, lastEnd);
    if (lastBlank < 0) return 'there is no space between path and value';
    let valueStart = lastBlank + 1;
    let valueEnd = lastEnd;
    let seconds = 0;
    const beforeEnd = trimBlanks(body, pathStart, lastBlank);
    let pathEnd = beforeEnd;
    const blank = findLastBlank(body, pathStart, beforeEnd);
    if (blank >= 0) {
      const time = parseFloat64(body, valueStart, lastEnd);
      // Any double of ms this large is not a time but a mistake; it would not fit 64 bits.
      if (time === undefined || !(Math.abs(time) < 9e15)) return 'the timestamp is not a number of seconds';
      seconds = Math.trunc(time);
      valueStart = blank + 1;
      valueEnd = beforeEnd;
      pathEnd = trimBlanks(body, pathStart, blank);
    }
    const value = parseFloat64(body, valueStart, valueEnd);
    if (value === undefined) return 'the value is not a number';
    if (this.#isGuess && hasBlank(body, pathStart, pathEnd)) return 'there is a space in the path';
    if (!this.#readLabels(body, pathStart, pathEnd)) return 'the path is empty';
    let timestamp = seconds === 0 || seconds === -1 ? this.#receiptMs : seconds * 1000;
    const trim = this.#options.trim_timestamp_ms;
    if (trim > 1000) timestamp -= timestamp % trim;
    this.builder.sampleSeries(this.labels, this.#extra, value, timestamp);
    return undefined;
  }

  /** Reads path and tags; tags without name or value are left out. False if the path is empty. */
  #readLabels(body: Buffer, start: number, end: number): boolean {
    const { labels } = this;
    labels.clear();
    let position = find(body, start, end, SEMICOLON);
    if (position < 0) position = end;
    if (position === start) return false;
    this.#label(NAME, 0, NAME.length, body, start, position, true);
    while (position < end) {
      const tagStart = position + 1;
      position = find(body, tagStart, end, SEMICOLON);
      if (position < 0) position = end;
      const equals = find(body, tagStart, position, EQUALS);
      if (equals > tagStart && equals + 1 < position) {
        this.#label(body, tagStart, equals, body, equals + 1, position, false);
      }
    }
    return true;
  }

  #label(
    name: Buffer,
    nameStart: number,
    nameEnd: number,
    value: Buffer,
    valueStart: number,
    valueEnd: number,
    isMetric: boolean,
  ): void {
    const { labels } = this;
    // Bytes that are not UTF-8 must not become text by way of `_`: the pipeline sets the series aside.
    const isPlain = !this.#options.sanitize_metric_name;
    if (
      isPlain ||
      !sanitize(
        this.#sanitized,
        isMetric ? value : name,
        isMetric ? valueStart : nameStart,
        isMetric ? valueEnd : nameEnd,
      )
    ) {
      labels.label(name, nameStart, nameEnd, value, valueStart, valueEnd);
      return;
    }
    const { bytes, length } = this.#sanitized;
    if (isMetric) labels.label(name, nameStart, nameEnd, bytes, 0, length);
    else labels.label(bytes, 0, length, value, valueStart, valueEnd);
  }
}

/** Whether a path has a space before its tags. */
function hasBlank(bytes: Buffer, start: number, end: number): boolean {
  const tags = find(bytes, start, end, SEMICOLON);
  return findBlank(bytes, start, tags < 0 ? end : tags) >= 0;
}

const DOT = 0x2e;
const UNDERSCORE = 0x5f;
/** ASCII bytes that are kept: those of names in Prometheus, and dots. */
const KEPT = new Uint8Array(256);
for (const byte of Buffer.from('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.'))
  KEPT[byte] = 1;

/**
 * Writes the sanitized name to `into`: repeated dots become one; each character that a name in Prometheus cannot have,
 * except dots, becomes `_`. False if the bytes are not UTF-8.
 */
function sanitize(into: Scratch, bytes: Buffer, start: number, end: number): boolean {
  into.clear();
  let all = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    all |= byte;
    if (byte === DOT && at > start && bytes[at - 1] === DOT) continue;
    if (KEPT[byte] === 1) into.push(byte);
    // The bytes of a character after its first are 10xxxxxx.
    else if ((byte & 0xc0) !== 0x80) into.push(UNDERSCORE);
  }
  return all < 0x80 || isUtf8(bytes.subarray(start, end));
}
