import { skipJsonBlanks, skipValue, stringEnd, typeAt } from './json-scan.ts';

/** Encodings that are text. */
export type TextEncoding =
  | 'vmimport'
  | 'json'
  | 'otlp_json'
  | 'opentsdb_http'
  | 'opentsdb'
  | 'influx'
  | 'graphite'
  | 'prometheus_text';

/** How much of a text is looked at. */
const LOOKED_AT = 64 * 1024;
const COLON = 0x3a;
const COMMA = 0x2c;

/**
 * Which encoding a text is.
 *
 * JSON, where the first value is an object whose first key is followed by a colon, or an array: the members of the
 * (first) object decide, in the order in which they stand:
 * `resourceMetrics` OTLP; `values`, `timestamps` or an object `metric` VictoriaMetrics' lines; a text `metric` or
 * `tags` OpenTSDB; `labels` or `name` samples. None of them: samples.
 *
 * Else the first line that is neither empty nor a comment:
 * - `put NAME TIME VALUE TAG=…`: OpenTSDB. A Prometheus metric named `put` has no such second word.
 * - a second word `field=value`, split at the first space that neither backslash nor quotes hide: Influx. In
 *   Prometheus a `=` stands only within braces, Graphite has it only in the name, behind a `;`: a first word with `;`
 *   and no `,` is Graphite, whose tags may hold spaces.
 * - otherwise a name, a value and perhaps a time, which Prometheus and Graphite share. Braces, or a comment `# HELP`,
 *   `# TYPE`, `# UNIT`, `# EOF` before: Prometheus. A name with `;`, `.`, `-` or `/`, which Prometheus does not allow:
 *   Graphite. Else the time decides: below 10^11 is seconds, as Graphite has it (as ms it would be before 1973), more
 *   is Prometheus' ms. Without a time, or with a fraction in it as in OpenMetrics, Prometheus wins: its exposition is
 *   what is commonly written like that, and both read the same series from it.
 */
export function detectText(body: Buffer): TextEncoding {
  const end = Math.min(body.length, LOOKED_AT);
  const start = skipJsonBlanks(body, 0, end);
  const json = start < end ? detectJson(body, start, end) : undefined;
  return json ?? detectLines(body.toString('latin1', start, end));
}

function detectJson(body: Buffer, start: number, end: number): TextEncoding | undefined {
  if (body[start] === 0x5b) {
    const first = skipJsonBlanks(body, start + 1, end);
    return first < end && body[first] === 0x7b ? (detectObject(body, first, end) ?? 'json') : 'json';
  }
  return body[start] === 0x7b ? detectObject(body, start, end) : undefined;
}

/** Undefined where it is no JSON object: a Prometheus series may begin with a brace too. */
function detectObject(body: Buffer, start: number, end: number): TextEncoding | undefined {
  let at = skipJsonBlanks(body, start + 1, end);
  if (body[at] === 0x7d && at < end) {
    const next = skipJsonBlanks(body, at + 1, end);
    return next === end || body[next] === 0x7b ? 'json' : undefined;
  }
  for (let first = true; at < end && body[at] === 0x22; first = false) {
    const quote = stringEnd(body, at + 1, end);
    const colon = quote < 0 ? -1 : skipJsonBlanks(body, quote + 1, end);
    if (colon < 0 || body[colon] !== COLON) return first ? undefined : 'json';
    const value = skipJsonBlanks(body, colon + 1, end);
    const decided = byMember(body.toString('latin1', at + 1, quote), value < end ? typeAt(body, value) : '');
    if (decided) return decided;
    const stop = skipValue(body, value, end);
    if (stop < 0) return 'json';
    at = skipJsonBlanks(body, stop, end);
    if (body[at] !== COMMA) return 'json';
    at = skipJsonBlanks(body, at + 1, end);
  }
  return undefined;
}

function byMember(key: string, type: string): TextEncoding | undefined {
  switch (key) {
    case 'resourceMetrics':
      return 'otlp_json';
    case 'values':
    case 'timestamps':
      return 'vmimport';
    case 'metric':
      return type === 'object' ? 'vmimport' : 'opentsdb_http';
    case 'tags':
      return 'opentsdb_http';
    case 'labels':
    case 'name':
      return 'json';
    default:
      return undefined;
  }
}

function detectLines(text: string): TextEncoding {
  let commented = false;
  for (const line of text.split('\n')) {
    const trimmed = line.trim();
    if (trimmed === '') continue;
    if (!trimmed.startsWith('#'))
      return commented && !isInflux(trimmed) ? 'prometheus_text' : detectLine(trimmed);
    commented ||= /^#\s*(HELP|TYPE|UNIT|EOF)\b/.test(trimmed);
  }
  return 'prometheus_text';
}

function detectLine(line: string): TextEncoding {
  if (/^put\s+\S+\s+\S+\s+\S+/.test(line)) return 'opentsdb';
  if (isInflux(line)) return 'influx';
  if (line.includes('{')) return 'prometheus_text';
  if (/^[^,\s]*;[^=\s]/.test(line)) return 'graphite';
  const [name = '', , time = ''] = line.split(/[ \t]+/);
  if (/[;.\-/]/.test(name)) return 'graphite';
  return /^-?\d{1,11}$/.test(time) && Number(time) < 1e11 ? 'graphite' : 'prometheus_text';
}

/** A word up to a space that neither a backslash nor quotes hide, without braces, then `field=`. Linear time. */
function isInflux(line: string): boolean {
  const space = wordEnd(line);
  if (space <= 0) return false;
  const word = line.slice(0, space);
  if (word.includes(';') && !word.includes(',')) return false;
  let start = space;
  while (line[start] === ' ') start++;
  for (let at = start; at < line.length; at++) {
    const character = line[at]!;
    if (character === '\\') at++;
    else if (character === '=') return at > start;
    else if (' ,"{'.includes(character)) return false;
  }
  return false;
}

/** Where the first word ends; -1 where it has a brace, or is all there is. */
function wordEnd(line: string): number {
  // Past this no quote is closed any more. Only a value can be quoted.
  const lastQuote = line.lastIndexOf('"');
  for (let at = 0; at < line.length; at++) {
    const character = line[at];
    if (character === ' ') return at;
    if (character === '{') return -1;
    if (character === '\\') at++;
    else if (character === '"' && line[at - 1] === '=' && at < lastQuote)
      at = closingQuote(line, at + 1, lastQuote);
  }
  return -1;
}

function closingQuote(line: string, start: number, last: number): number {
  for (let at = start; at < last; at++) {
    if (line[at] === '"') return at;
    if (line[at] === '\\') at++;
  }
  return last;
}
