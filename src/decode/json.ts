import { isUtf8 } from 'node:buffer';
import { PoisonError } from '../model/errors.ts';
import { METRIC_NAME } from '../model/labels.ts';
import { WriteRequestBuilder } from '../wire/write-request-builder.ts';
import type { DecodeContext, Decoded, Decoder } from './decoder.ts';
import { skipJsonBlanks, skipValue, typeAt, visitElements } from './json-scan.ts';
import { jsonTimeMs } from './json-time.ts';
import { largestOutput, limitOutput } from './output-limit.ts';
import { extraLabels } from './record-labels.ts';
import { LINES, Rejects } from './rejects.ts';

const NEWLINE = 0x0a;
const CONTENT_TYPE = 'application/json';
const FORM = { reason: 'json_sample', contentType: CONTENT_TYPE, glue: LINES };

/**
 * One JSON object a sample, an array of them, or one a line, in the shape that prometheus-kafka-adapter and
 * stream-metrics-route write:
 *
 *     {"timestamp":"1970-01-01T00:00:00Z","value":"1.5","name":"up","labels":{"__name__":"up","job":"api"}}
 *
 * - `value`: a number, or text of one; `NaN`, `+Inf`, `-Inf`, `Infinity` in any case.
 * - `timestamp`: see `jsonTimeMs`; absent or null is the time of the record.
 * - `labels`: text; numbers and booleans are taken as their text, null is an absent label, anything else is refused.
 *   Where a key repeats, the last one counts.
 * - the metric name is `labels.__name__`, where that is absent `name`. Should they differ, `labels` wins: it is what
 *   the sample was made of, and `name` a copy for the convenience of readers. One of them must be there.
 * - other members are not looked at.
 *
 * An element that does not fit is set aside alone. An array that is broken as JSON is refused as a whole, broken lines
 * one by one.
 */
export function jsonDecoder(): Decoder {
  const builder = new WriteRequestBuilder();
  return {
    name: 'json',
    contentTypes: [CONTENT_TYPE, 'application/x-ndjson', 'application/jsonl'],
    defaultContentEncoding: 'identity',
    decode: (body, context) => decode(body, context, builder),
  };
}

function decode(body: Buffer, context: DecodeContext, builder: WriteRequestBuilder): Decoded {
  builder.reset();
  const rejects = new Rejects(FORM, body, context.budget);
  const extra = extraLabels(context.headers);
  const largest = largestOutput(body.length, context);
  let number = 0;
  const take = (start: number, end: number) => {
    number++;
    context.budget?.spend();
    limitOutput(builder.length, largest);
    const fault = sample(body.subarray(start, end), context.timestamp, extra, builder);
    if (fault !== undefined) rejects.add(start, end, `sample ${number}`, fault);
  };
  const start = skipJsonBlanks(body, 0, body.length);
  if (start < body.length && typeAt(body, start) === 'array') {
    const stop = skipValue(body, start, body.length);
    if (stop < 0 || skipJsonBlanks(body, stop, body.length) !== body.length) {
      throw new PoisonError('decode', 'json', 'the record begins as a JSON array, but is not one');
    }
    visitElements(body, start, stop, take);
  } else takeValues(body, start, take);
  return { body: builder.finish(), rejects: rejects.finish() };
}

/** Values one after another. One may span lines; what is none goes up to the end of its line. */
function takeValues(body: Buffer, first: number, take: (start: number, end: number) => void): void {
  // After the first broken value none may span lines, so that each byte is looked at a few times at most.
  let maySpan = true;
  for (let at = first; at < body.length; at = skipJsonBlanks(body, at, body.length)) {
    const newline = body.indexOf(NEWLINE, at);
    const lineEnd = newline < 0 ? body.length : newline;
    let stop = skipValue(body, at, maySpan ? body.length : lineEnd);
    if (stop < 0 && maySpan) {
      maySpan = false;
      stop = skipValue(body, at, lineEnd);
    }
    if (stop < 0) stop = lineEnd;
    take(at, stop);
    at = stop;
  }
}

/** Builds the series of one sample; says what is wrong with it, and then builds nothing. */
function sample(
  bytes: Buffer,
  recordMs: number,
  extra: readonly (readonly [string, string])[],
  builder: WriteRequestBuilder,
): string | undefined {
  if (bytes[0] !== 0x7b) return 'it is not a JSON object';
  if (!isUtf8(bytes)) return 'it is not UTF-8';
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString());
  } catch {
    return 'it is not JSON';
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    return 'it is not a JSON object';
  const { name, labels, value, timestamp } = parsed as Record<string, unknown>;
  const number = sampleValue(value);
  if (number === undefined) return '"value" is not a number, nor text of one';
  const timeMs = timestamp === undefined || timestamp === null ? recordMs : jsonTimeMs(timestamp);
  if (timeMs === undefined) return '"timestamp" is neither RFC 3339 nor Unix time in s or ms';
  const found = new Map<string, string>();
  if (typeof name === 'string') found.set(METRIC_NAME, name);
  else if (name !== undefined && name !== null) return '"name" is not text';
  const fault = readLabels(labels, found);
  if (fault !== undefined) return fault;
  if ((found.get(METRIC_NAME) ?? '') === '') return 'it has no name, neither "name" nor "labels.__name__"';
  for (const [label, text] of extra) found.set(label, text);
  builder.beginSeries();
  for (const [label, text] of found) builder.label(label, text);
  builder.sample(number, timeMs);
  builder.endSeries();
  return undefined;
}

function readLabels(labels: unknown, into: Map<string, string>): string | undefined {
  if (labels === undefined || labels === null) return undefined;
  if (typeof labels !== 'object' || Array.isArray(labels)) return '"labels" is not a JSON object';
  for (const [label, text] of Object.entries(labels)) {
    if (typeof text === 'string') into.set(label, text);
    else if (typeof text === 'number' || typeof text === 'boolean') into.set(label, String(text));
    else if (text !== null) return `the label ${JSON.stringify(label)} is not text`;
  }
  return undefined;
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

function sampleValue(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  if (NUMBER.test(value)) return Number(value);
  switch (value.toLowerCase()) {
    case 'nan':
      return Number.NaN;
    case 'inf':
    case '+inf':
    case 'infinity':
    case '+infinity':
      return Number.POSITIVE_INFINITY;
    case '-inf':
    case '-infinity':
      return Number.NEGATIVE_INFINITY;
    default:
      return undefined;
  }
}
