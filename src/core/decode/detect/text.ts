import { skipJsonBlanks, skipValue, stringEnd, typeAt } from '../json/scan.ts';
import { skipMarks } from '../text/byte-order-mark.ts';
import { detectLines, type LineEncoding } from './lines.ts';

/** Encodings that are text. */
export type TextEncoding = 'vmimport' | 'json' | 'otlp_json' | 'opentsdb_http' | LineEncoding;

/** Bytes of a text that are examined. */
const LOOKED_AT = 64 * 1024;
const COLON = 0x3a;
const COMMA = 0x2c;

/**
 * Detects the encoding of a text.
 *
 * JSON, if the first value is an object whose first key is followed by a colon, or an array: the members of the (first)
 * object decide, in their order:
 * `resourceMetrics` OTLP; `values`, `timestamps` or an object `metric` VictoriaMetrics' lines; `labels` or `name`
 * samples; a text `metric` or `tags`, and none of those, OpenTSDB. None of them: samples.
 *
 * Else lines: see `detectLines`. A byte order mark before either is skipped.
 */
export function detectText(body: Buffer): TextEncoding {
  const end = Math.min(body.length, LOOKED_AT);
  const start = skipJsonBlanks(body, skipMarks(body, 0, end), end);
  const json = start < end ? detectJson(body, start, end) : undefined;
  return json ?? detectLines(body, start, end);
}

function detectJson(body: Buffer, start: number, end: number): TextEncoding | undefined {
  if (body[start] === 0x5b) {
    const first = skipJsonBlanks(body, start + 1, end);
    return first < end && body[first] === 0x7b ? (detectObject(body, first, end) ?? 'json') : 'json';
  }
  return body[start] === 0x7b ? detectObject(body, start, end) : undefined;
}

/** Undefined if it is not a JSON object: a Prometheus series may begin with a brace too. */
function detectObject(body: Buffer, start: number, end: number): TextEncoding | undefined {
  let at = skipJsonBlanks(body, start + 1, end);
  if (body[at] === 0x7d && at < end) {
    const next = skipJsonBlanks(body, at + 1, end);
    return next === end || body[next] === 0x7b ? 'json' : undefined;
  }
  let perhaps: TextEncoding = 'json';
  for (let first = true; at < end && body[at] === 0x22; first = false) {
    const quote = stringEnd(body, at + 1, end);
    const colon = quote < 0 ? -1 : skipJsonBlanks(body, quote + 1, end);
    if (colon < 0 || body[colon] !== COLON) return first ? undefined : perhaps;
    const value = skipJsonBlanks(body, colon + 1, end);
    const key = body.toString('latin1', at + 1, quote);
    const decided = byMember(key, value < end ? typeAt(body, value) : '');
    if (decided) return decided;
    if (key === 'metric' || key === 'tags') perhaps = 'opentsdb_http';
    const stop = skipValue(body, value, end);
    if (stop < 0) return perhaps;
    at = skipJsonBlanks(body, stop, end);
    if (body[at] !== COMMA) return perhaps;
    at = skipJsonBlanks(body, at + 1, end);
  }
  return undefined;
}

/** The encoding, if this member alone decides it. */
function byMember(key: string, type: string): TextEncoding | undefined {
  switch (key) {
    case 'resourceMetrics':
    case 'resource_metrics':
    // Traces and logs: the decoder says that they are no metrics.
    case 'resourceSpans':
    case 'resourceLogs':
      return 'otlp_json';
    case 'values':
    case 'timestamps':
      return 'vmimport';
    case 'metric':
      return type === 'object' ? 'vmimport' : undefined;
    case 'labels':
    case 'name':
      return 'json';
    default:
      return undefined;
  }
}
