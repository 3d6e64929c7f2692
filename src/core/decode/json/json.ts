import { PoisonError } from '../../model/errors.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import { WriteRequestBuilder } from '../../wire/write-request-builder.ts';
import { DEFAULT_JSON, type JsonOptions } from '../decode-options.ts';
import type { DecodeContext, Decoded, Decoder } from '../decoder.ts';
import { largestOutput, limitOutput } from '../output-limit.ts';
import { extraLabels } from '../record-labels.ts';
import { LINES, Rejects } from '../rejects.ts';
import { labelText, sampleValue } from '../schema/mapped-values.ts';
import { skipMarks } from '../text/byte-order-mark.ts';
import { OPEN_BRACE } from '../text/byte-text.ts';
import { INVALID_UTF8 } from '../text/utf8.ts';
import { Uncarried } from '../uncarried.ts';
import { skipJsonBlanks, skipValue, typeAt, visitElements } from './scan.ts';
import { isZero, jsonTimeMs, ZERO_TIME } from './time.ts';
import { JsonTraits } from './traits.ts';
import { quoteText, unknownMembers } from './unknown.ts';
import { jsonValue } from './value.ts';

const NEWLINE = 0x0a;
const CONTENT_TYPE = 'application/json';
const FORM = { reason: 'json_sample', contentType: CONTENT_TYPE, glue: LINES };
const MEMBERS: ReadonlySet<string> = new Set(['name', 'labels', 'value', 'timestamp']);

/**
 * JSON objects, each a sample: one, an array of them, or one per line, in the shape that prometheus-kafka-adapter and
 * stream-metrics-route write:
 *
 *     {"timestamp":"1970-01-01T00:00:00Z","value":"1.5","name":"up","labels":{"__name__":"up","job":"api"}}
 *
 * - `value`: a number, or text of one; `NaN`, `+Inf`, `-Inf`, `Infinity` in any case, with quotes and without.
 * - `timestamp`: see `jsonTimeMs`; if absent, null or 0 (unset), it is the time of the record.
 * - `labels`: text; numbers and booleans are kept as written (`1.10`), null is an absent label, anything else is
 *   refused. The last of a repeated key counts.
 * - the metric name is `labels.__name__`, else `name`, else `metric`. If they differ, `labels` wins: the sample was
 *   made from it, and `name` is a copy for the convenience of readers. One of them is required.
 * - another member may be what tells this series from others, so the sample is refused: see `unknownMembers`.
 *
 * A bad element is set aside alone. An array that is broken JSON is refused as a whole, broken lines one by one.
 */
export function jsonDecoder(options: Partial<JsonOptions> = {}): Decoder {
  const reader = new SampleReader({ ...DEFAULT_JSON, ...options });
  return {
    name: 'json',
    contentTypes: [CONTENT_TYPE, 'application/x-ndjson', 'application/jsonl'],
    defaultContentEncoding: 'identity',
    decode: (body, context) => reader.decode(body, context),
  };
}

interface Fault {
  readonly message: string;
  readonly reason?: string;
}

const NOT_JSON: Fault = { message: 'it is not JSON' };
const NOT_AN_OBJECT: Fault = { message: 'it is not a JSON object' };

function broken(first: number | undefined): Fault {
  return first === OPEN_BRACE ? NOT_JSON : NOT_AN_OBJECT;
}

class SampleReader {
  readonly #isStrict: boolean;
  readonly #builder = new WriteRequestBuilder();
  readonly #traits = new JsonTraits();
  /** Labels of the current sample. */
  readonly #labels = new Map<string, string>();
  #extra: readonly (readonly [string, string])[] = [];
  #uncarried = new Uncarried();

  constructor(options: JsonOptions) {
    this.#isStrict = options.unknown_members === 'reject';
  }

  decode(body: Buffer, context: DecodeContext): Decoded {
    const builder = this.#builder;
    builder.reset();
    this.#extra = extraLabels(context.headers);
    this.#uncarried = new Uncarried();
    const rejects = new Rejects(FORM, body, context.budget);
    const largest = largestOutput(body.length, context);
    let number = 0;
    const take = (start: number, end: number, isBroken = false) => {
      number++;
      context.budget?.spend();
      limitOutput(builder.length, largest);
      const fault = isBroken ? broken(body[start]) : this.#sample(body, start, end, context);
      if (fault === undefined) context.budget?.series();
      else rejects.add(start, end, `sample ${number}`, fault.message, fault.reason);
    };
    const start = skipJsonBlanks(body, skipMarks(body, 0, body.length), body.length);
    if (start < body.length && typeAt(body, start) === 'array') {
      const stop = visitElements(body, start, body.length, take, this.#traits);
      if (stop < 0 || skipJsonBlanks(body, stop, body.length) !== body.length) {
        throw new PoisonError('decode', 'json', 'the record begins as a JSON array, but is not one');
      }
    } else takeValues(body, start, take, this.#traits);
    if (number === 0) this.#uncarried.add('empty_record');
    return { body: builder.finish(), rejects: rejects.finish(), ...this.#uncarried.field };
  }

  /** Builds the series of one sample, or returns its fault and builds nothing. */
  #sample(bytes: Buffer, start: number, end: number, context: DecodeContext): Fault | undefined {
    if (bytes[start] !== OPEN_BRACE) return NOT_AN_OBJECT;
    const parsed = jsonValue(bytes, start, end, this.#traits);
    if (parsed === undefined) return NOT_JSON;
    let members = parsed as Record<string, unknown>;
    if (this.#traits.hasOddNumbers && hasNumbers(members['labels']))
      members = verbatim(bytes, start, end, this.#traits) as Record<string, unknown>;
    const { name = members['metric'], labels, value, timestamp } = members;
    const number = sampleValue(value);
    if (number === undefined) return { message: '"value" is not a number, nor text of one' };
    const isUnset = isZero(timestamp);
    const hasNone = timestamp === undefined || timestamp === null || isUnset;
    const timeMs = hasNone ? context.timestamp : jsonTimeMs(timestamp);
    if (timeMs === undefined) {
      return { message: '"timestamp" is neither RFC 3339 nor Unix time in s or ms' };
    }
    const found = this.#labels;
    found.clear();
    if (typeof name === 'string') found.set(METRIC_NAME, name);
    else if (name !== undefined && name !== null) return { message: '"name" is not text' };
    const fault = readLabels(labels, found, context);
    if (fault !== undefined) return { message: fault };
    if ((found.get(METRIC_NAME) ?? '') === '') {
      return { message: 'it has no name, neither "name" nor "labels.__name__"' };
    }
    const unknown = this.#isStrict ? unknownMembers(members, MEMBERS, name) : undefined;
    if (unknown !== undefined) return { reason: 'unknown_members', message: unknown };
    const wrong = this.#build(number, timeMs);
    if (wrong === undefined && isUnset) this.#uncarried.add(ZERO_TIME);
    return wrong;
  }

  #build(value: number, timeMs: number): Fault | undefined {
    const builder = this.#builder;
    const labels = this.#labels;
    for (const [label, text] of this.#extra) labels.set(label, text);
    builder.beginSeries();
    for (const [label, text] of labels) builder.label(label, text);
    if (!builder.isWellFormed) {
      builder.discardSeries();
      return { reason: INVALID_UTF8, message: 'its name or a label is not UTF-8' };
    }
    builder.sample(value, timeMs);
    builder.endSeries();
    return undefined;
  }
}

/** Visits consecutive values. A value may span lines; a broken one extends to the end of its line. */
function takeValues(
  body: Buffer,
  first: number,
  take: (start: number, end: number, isBroken: boolean) => void,
  traits: JsonTraits,
): void {
  // After the first broken value none may span lines, which keeps the scan linear.
  let maySpan = true;
  let lineEnd = -1;
  for (let at = first; at < body.length; at = nextValue(body, at)) {
    if (lineEnd < at) {
      const newline = body.indexOf(NEWLINE, at);
      lineEnd = newline < 0 ? body.length : newline;
    }
    traits.clear();
    let stop = skipValue(body, at, maySpan ? body.length : lineEnd, traits);
    if (stop < 0 && maySpan) {
      maySpan = false;
      traits.clear();
      stop = skipValue(body, at, lineEnd, traits);
    }
    const isBroken = stop < 0;
    if (isBroken) stop = lineEnd;
    take(at, stop, isBroken);
    at = stop;
  }
}

/** Skips blanks and the byte order marks of joined texts. */
function nextValue(body: Buffer, start: number): number {
  let at = start;
  for (;;) {
    const next = skipMarks(body, skipJsonBlanks(body, at, body.length), body.length);
    if (next === at) return at;
    at = next;
  }
}

function hasNumbers(labels: unknown): boolean {
  if (typeof labels !== 'object') return false;
  for (const label in labels) {
    if (typeof (labels as Record<string, unknown>)[label] === 'number') return true;
  }
  return false;
}

/** Reads the value again, with numbers that JavaScript would write differently as text: labels keep their text. */
function verbatim(bytes: Buffer, start: number, end: number, traits: JsonTraits): unknown {
  traits.clear();
  traits.isVerbatim = true;
  skipValue(bytes, start, end, traits);
  traits.isVerbatim = false;
  return jsonValue(bytes, start, end, traits);
}

function readLabels(labels: unknown, into: Map<string, string>, context: DecodeContext): string | undefined {
  if (labels === undefined || labels === null) return undefined;
  if (typeof labels !== 'object' || Array.isArray(labels)) return '"labels" is not a JSON object';
  for (const [label, text] of Object.entries(labels)) {
    context.budget?.spend(0.25);
    const found = labelText(text);
    if (found !== undefined) into.set(label, found);
    else if (text !== null) return `the label ${quoteText(label)} is not text`;
  }
  return undefined;
}
