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

/** Lines that are examined, without comments and empty ones. */
const LINES_LOOKED_AT = 20;
/** Times below this are in seconds, as in Graphite; in ms they would be before March 1973. */
const SECONDS_BELOW = 1e11;

/** Examined lines by format; a line may count for both Prometheus and Graphite. */
interface Counts {
  opentsdb: number;
  influx: number;
  prometheus: number;
  graphite: number;
  /** Lines that could be both: with a time in seconds, and others. */
  seconds: number;
  other: number;
}

/**
 * Detects the encoding of the lines in `body[start, end)`. `end` may be within a line, or the text itself may begin or
 * end within one: an incomplete line matches no format, and the others decide.
 *
 * 1. A first line that matches OpenTSDB, Influx, or Prometheus with braces decides: no other format writes it.
 * 2. Else the first twenty lines are counted for each format that they match, and the format with most lines wins. A
 *    name, a value and perhaps a time may be Prometheus or Graphite. If both have as many, a comment before them
 *    (`# HELP`, `# TYPE`, `# UNIT` or `# EOF`) means Prometheus; else the times decide: whole seconds mean Graphite;
 *    ms, fractions (as in OpenMetrics) or no time mean Prometheus, and both would read the same series from it.
 * 3. If no line matches any format, the first one is guessed: see `guess`.
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

/** Trimmed lines, without empty ones. A line that `end` cuts off is included only if it is the first. */
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

/** Adds a line to the counts. Returns its encoding if no other has such lines. */
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

/** Whether the third word is a time in whole seconds. */
function hasSeconds(line: string): boolean {
  const [, , time = ''] = line.split(/[ \t]+/, 3);
  return /^-?\d{1,11}$/.test(time) && Number(time) < SECONDS_BELOW;
}

/**
 * For a line that is malformed in every format; the first rule that applies decides:
 * - a second word `field=value`, split at the first space that is not escaped or quoted: Influx. Prometheus has a `=`
 *   only within braces, Graphite only in the name, after a `;`: a first word with `;` and no `,` is Graphite, whose
 *   tags may hold spaces.
 * - a comment of Prometheus before it: Prometheus.
 * - `put NAME TIME VALUE`: OpenTSDB. A line of a Prometheus metric named `put` has three words at most.
 * - braces: Prometheus.
 * - a name with `;`, `.`, `-` or `/`, which Prometheus does not allow: Graphite.
 * - else the time, as above.
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

/** A first word without braces, up to a space that is not escaped or quoted, then `field=`. */
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

/** The end of the first word; -1 if it has a brace, or no space follows. */
function wordEnd(line: string): number {
  // No quote is closed after this. Only a value can be quoted.
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
