import { skipMarks } from '../text/byte-order-mark.ts';
import {
  isGraphiteLine,
  isInfluxLine,
  isOpentsdbLine,
  isPrometheusLabeled,
  isPrometheusPlain,
} from './line-grammars.ts';

/** Encodings of lines that are not JSON. */
export type LineEncoding = 'opentsdb' | 'influx' | 'graphite' | 'prometheus_text';

/** Lines that are looked at, comments and empty ones aside. */
const LINES_LOOKED_AT = 20;
/** Below this a time is seconds, as Graphite has it; as ms it would be before 1973. */
const SECONDS_BELOW = 1e11;

/** What the lines that were looked at could be; a line may count for Prometheus and for Graphite. */
interface Counts {
  opentsdb: number;
  influx: number;
  prometheus: number;
  graphite: number;
  /** Among those that could be both, with a time in seconds, and others. */
  seconds: number;
  other: number;
}

/**
 * Which encoding the lines of `body[start, end)` are. `end` may be within a line, or the text itself may begin or end
 * within one: a line that is not whole is nobody's, and the others decide.
 *
 * 1. A first line that is wholly OpenTSDB's, Influx's, or Prometheus' with its braces: no other format writes it.
 * 2. Else the first twenty lines are counted, each for the formats that it is wholly one of, and the format with most
 *    lines wins. A name, a value and perhaps a time may be Prometheus' or Graphite's; where both have as many, a comment
 *    `# HELP`, `# TYPE`, `# UNIT` or `# EOF` before says Prometheus, else the times do: whole seconds are Graphite's, ms,
 *    fractions, as in OpenMetrics, or no time Prometheus', and both read the same series from it.
 * 3. Where no line is wholly of any format, the first one is guessed at: see `guess`.
 */
export function detectLines(body: Buffer, start: number, end: number): LineEncoding {
  const counts: Counts = { opentsdb: 0, influx: 0, prometheus: 0, graphite: 0, seconds: 0, other: 0 };
  let first: string | undefined;
  let commented = false;
  let looked = 0;
  for (const line of linesOf(body, start, end)) {
    if (line.startsWith('#')) {
      commented ||= first === undefined && /^#\s*(HELP|TYPE|UNIT|EOF)\b/.test(line);
      continue;
    }
    const certain = count(counts, line);
    if (certain !== undefined && first === undefined) return certain;
    first ??= line;
    if (++looked === LINES_LOOKED_AT) break;
  }
  if (first === undefined) return 'prometheus_text';
  return decide(counts, commented) ?? guess(first, commented);
}

/** Lines without the blanks around them, those that are empty left out. One that `end` cuts off is there only alone. */
function* linesOf(body: Buffer, start: number, end: number): Generator<string> {
  let found = false;
  for (let at = start; at < end; ) {
    const newline = body.indexOf(0x0a, at);
    const stop = newline < 0 || newline >= end ? end : newline;
    if (found && stop === end && end < body.length) return;
    const line = body.toString('latin1', skipMarks(body, at, stop), stop).trim();
    if (line !== '') {
      found = true;
      yield line;
    }
    at = stop + 1;
  }
}

/** Adds a line to the counts. Returns its encoding where no other has such lines. */
function count(counts: Counts, line: string): LineEncoding | undefined {
  if (isOpentsdbLine(line)) {
    counts.opentsdb++;
    return 'opentsdb';
  }
  if (isInfluxLine(line)) {
    counts.influx++;
    return 'influx';
  }
  if (isPrometheusLabeled(line)) {
    counts.prometheus++;
    return 'prometheus_text';
  }
  const isPlain = isPrometheusPlain(line);
  if (isPlain) counts.prometheus++;
  if (!isGraphiteLine(line)) return undefined;
  counts.graphite++;
  if (isPlain) {
    if (hasSeconds(line)) counts.seconds++;
    else counts.other++;
  }
  return undefined;
}

function decide(counts: Counts, commented: boolean): LineEncoding | undefined {
  const graphite = commented ? 0 : counts.graphite;
  const { opentsdb, influx, prometheus, seconds, other } = counts;
  const most = Math.max(opentsdb, influx, prometheus, graphite);
  if (most === 0) return undefined;
  if (most === opentsdb) return 'opentsdb';
  if (most === influx) return 'influx';
  if (prometheus !== graphite) return most === graphite ? 'graphite' : 'prometheus_text';
  return seconds > other ? 'graphite' : 'prometheus_text';
}

/** Whether a third word is whole seconds. */
function hasSeconds(line: string): boolean {
  const [, , time = ''] = line.split(/[ \t]+/, 3);
  return /^-?\d{1,11}$/.test(time) && Number(time) < SECONDS_BELOW;
}

/**
 * For a line that is malformed in every format:
 * - `put NAME TIME VALUE`: OpenTSDB. A Prometheus metric named `put` has no such second word.
 * - a second word `field=value`, split at the first space that neither backslash nor quotes hide: Influx. In Prometheus
 *   a `=` stands only within braces, Graphite has it only in the name, behind a `;`: a first word with `;` and no `,` is
 *   Graphite, whose tags may hold spaces.
 * - braces, or a comment of Prometheus before: Prometheus. A name with `;`, `.`, `-` or `/`, which Prometheus does not
 *   allow: Graphite. Else the time decides as above.
 */
function guess(line: string, commented: boolean): LineEncoding {
  if (looksLikeInflux(line)) return 'influx';
  if (commented) return 'prometheus_text';
  if (/^put\s+\S+\s+\S+\s+\S+/.test(line)) return 'opentsdb';
  if (line.includes('{')) return 'prometheus_text';
  if (/^[^,\s]*;[^=\s]/.test(line)) return 'graphite';
  const [name = ''] = line.split(/[ \t]/, 1);
  if (/[;.\-/]/.test(name)) return 'graphite';
  return hasSeconds(line) ? 'graphite' : 'prometheus_text';
}

/** A word up to a space that neither a backslash nor quotes hide, without braces, then `field=`. */
function looksLikeInflux(line: string): boolean {
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
