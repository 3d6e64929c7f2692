import type { LabelFields } from '../../wire/label-fields.ts';
import { DEFAULT_OPENTSDB, type OpentsdbOptions } from '../decode-options.ts';
import type { DecodeContext } from '../decoder.ts';
import type { RecordArguments } from '../record-arguments.ts';
import { EQUALS, find, HASH, SPACE, skipBlanks, skipSpaces } from './byte-text.ts';
import { LineDecoder, NAME } from './line-decoder.ts';
import { parseFloat64 } from './number.ts';

const PUT = Buffer.from('put ');

/**
 * OpenTSDB's telnet lines (opentsdb.net/docs/build/html/api_telnet/put.html): `put metric 1700000000 1.5 tag=value`,
 * the time in seconds or ms. Lines without tags are taken, too.
 */
export class OpentsdbDecoder extends LineDecoder {
  readonly name = 'opentsdb';
  readonly contentTypes = ['application/x-opentsdb', 'text/x-opentsdb'];
  readonly #trim: number;
  #receiptMs = 0;
  #extra!: LabelFields;

  constructor(options: Partial<OpentsdbOptions> = {}) {
    super();
    this.#trim = { ...DEFAULT_OPENTSDB, ...options }.trim_timestamp_ms;
  }

  protected begin(context: DecodeContext, args: RecordArguments): void {
    this.#receiptMs = Math.floor(context.timestamp / 1000) * 1000;
    this.#extra = args.labels;
  }

  protected line(body: Buffer, start: number, end: number): string | undefined {
    const { labels } = this;
    const putAt = skipSpaces(body, start, end);
    if (end - putAt < PUT.length || body.compare(PUT, 0, PUT.length, putAt, putAt + PUT.length) !== 0) {
      const isComment = body[skipBlanks(body, start, end)] === HASH;
      return isComment ? undefined : 'the line does not begin with "put "';
    }
    const nameStart = skipSpaces(body, putAt + PUT.length, end);
    const nameEnd = find(body, nameStart, end, SPACE);
    if (nameEnd < 0) return 'there is no timestamp behind the metric';
    const timeStart = skipSpaces(body, nameEnd, end);
    const timeEnd = find(body, timeStart, end, SPACE);
    if (timeEnd < 0) return 'there is no value behind the timestamp';
    const time = parseFloat64(body, timeStart, timeEnd);
    if (time === undefined || !(Math.abs(time) < 2 ** 63)) return 'the timestamp is not a number';
    const valueStart = skipSpaces(body, timeEnd, end);
    let position = find(body, valueStart, end, SPACE);
    if (position < 0) position = end;
    const value = parseFloat64(body, valueStart, position);
    if (value === undefined) return 'the value is not a number';

    labels.clear();
    labels.label(NAME, 0, NAME.length, body, nameStart, nameEnd);
    for (;;) {
      const tagStart = skipSpaces(body, position, end);
      if (tagStart === end) break;
      position = find(body, tagStart, end, SPACE);
      if (position < 0) position = end;
      const equals = find(body, tagStart, position, EQUALS);
      if (equals < 0) return 'a tag has no value';
      if (equals > tagStart && equals + 1 < position) {
        labels.label(body, tagStart, equals, body, equals + 1, position);
      }
    }
    let timestamp = opentsdbMs(time) ?? this.#receiptMs;
    if (this.#trim > 1000) timestamp -= timestamp % this.#trim;
    this.builder.sampleSeries(labels, this.#extra, value, timestamp);
    return undefined;
  }
}

/**
 * A timestamp of OpenTSDB in ms, undefined for 0: it is in seconds if it fits unsigned 32 bits, else in ms already
 * (net.opentsdb.core.Const, SECOND_MASK). Fractions are cut off. The caller has checked that it fits 64 bits.
 */
export function opentsdbMs(time: number): number | undefined {
  const whole = Math.trunc(time);
  if (whole === 0) return undefined;
  return whole > 0 && whole < 2 ** 32 ? whole * 1000 : whole;
}
