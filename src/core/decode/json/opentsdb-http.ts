import { PoisonError } from '../../model/errors.ts';
import { LabelFields } from '../../wire/label-fields.ts';
import { WriteRequestBuilder } from '../../wire/write-request-builder.ts';
import { DEFAULT_OPENTSDB_HTTP, type OpentsdbHttpOptions } from '../decode-options.ts';
import type { DecodeContext, Decoded, Decoder } from '../decoder.ts';
import { largestOutput, limitOutput } from '../output-limit.ts';
import { ArgumentReader } from '../record-arguments.ts';
import { Rejects } from '../rejects.ts';
import { skipMarks } from '../text/byte-order-mark.ts';
import { BACKSLASH, Scratch } from '../text/byte-text.ts';
import { NAME } from '../text/line-decoder.ts';
import { parseFloat64 } from '../text/number.ts';
import { opentsdbMs } from '../text/opentsdb.ts';
import { Uncarried } from '../uncarried.ts';
import { Members } from './members.ts';
import { skipJsonBlanks, skipValue, typeAt, visitElements, visitMembers } from './scan.ts';
import { unescapeJson } from './text.ts';
import { unknownMessage } from './unknown.ts';

const GLUE = { open: '[', between: ',', close: ']' };

/**
 * OpenTSDB's JSON (opentsdb.net/docs/build/html/api_http/put.html): one data point or an array of them,
 * `{"metric":"sys.cpu","timestamp":1700000000,"value":1.5,"tags":{"host":"a"}}`, the time in seconds or ms.
 * Numbers may stand in quotes. A point that is malformed is set aside alone.
 */
export class OpentsdbHttpDecoder implements Decoder {
  readonly name = 'opentsdb_http';
  readonly contentTypes = ['application/x-opentsdb+json'];
  readonly defaultContentEncoding = 'identity';
  readonly #trim: number;
  readonly #builder = new WriteRequestBuilder();
  readonly #labels = new LabelFields();
  readonly #members = new Members(['metric', 'timestamp', 'value', 'tags']);
  readonly #arguments = new ArgumentReader();
  readonly #key = new Scratch();
  readonly #value = new Scratch();
  #hasBackslash = false;
  #isGuess = false;

  constructor(options: Partial<OpentsdbHttpOptions> = {}) {
    this.#trim = { ...DEFAULT_OPENTSDB_HTTP, ...options }.trim_timestamp_ms;
  }

  decode(body: Buffer, context: DecodeContext): Decoded {
    const builder = this.#builder;
    const { labels: extra } = this.#arguments.read(context.headers);
    const receiptMs = Math.floor(context.timestamp / 1000) * 1000;
    const form = { reason: 'opentsdb_http_point', contentType: this.contentTypes[0]!, glue: GLUE };
    const rejects = new Rejects(form, body, context.budget);
    const largest = largestOutput(body.length, context);
    builder.reset();
    this.#isGuess = context.isGuess === true;
    const start = skipJsonBlanks(body, skipMarks(body, 0, body.length), body.length);
    this.#hasBackslash = body.includes(BACKSLASH);
    let index = 0;
    const take = (at: number, end: number) => {
      context.budget?.spend();
      const fault = this.#point(body, at, end, receiptMs, extra);
      if (fault === undefined) context.budget?.series();
      else rejects.add(at, end, `data point ${index}`, fault);
      limitOutput(builder.length, largest);
      index++;
    };
    const isArray = start < body.length && typeAt(body, start) === 'array';
    const stop = isArray
      ? visitElements(body, start, body.length, take)
      : skipValue(body, start, body.length);
    if (stop < 0 || skipJsonBlanks(body, stop, body.length) !== body.length) {
      throw new PoisonError('decode', 'json', 'the record is not one JSON object or array');
    }
    if (!isArray) take(start, stop);
    const uncarried = new Uncarried();
    if (index === 0) uncarried.add('empty_record');
    return { body: builder.finish(), rejects: rejects.finish(), ...uncarried.field };
  }

  #point(
    body: Buffer,
    start: number,
    end: number,
    receiptMs: number,
    extra: LabelFields,
  ): string | undefined {
    if (typeAt(body, start) !== 'object') return 'it is not a JSON object';
    this.#members.find(body, start, end);
    const [metric, time, number, tags] = this.#members.found as [number, number, number, number];
    const labels = this.#labels;
    labels.clear();
    if (this.#isGuess && this.#members.unknown.length > 0) return unknownMessage(this.#members.unknown);
    if (metric < 0 || typeAt(body, metric) !== 'string') return '"metric" is not a string';
    const metricEnd = skipValue(body, metric, end);
    if (metricEnd - metric === 2) return '"metric" is empty';
    this.#label(NAME, 0, NAME.length, body, metric + 1, metricEnd - 1);
    const seconds = time < 0 ? 0 : this.#number(body, time, end);
    if (seconds === undefined || !(Math.abs(seconds) < 2 ** 63)) return '"timestamp" is not a number';
    const value = number < 0 ? undefined : this.#number(body, number, end);
    if (value === undefined) return '"value" is not a number';
    if (tags >= 0 && !this.#tags(body, tags, end)) return '"tags" is not an object of strings';
    let timestamp = opentsdbMs(seconds) ?? receiptMs;
    if (this.#trim > 1) timestamp -= timestamp % this.#trim;
    this.#builder.sampleSeries(labels, extra, value, timestamp);
    return undefined;
  }

  /** A number, plain or in quotes. */
  #number(body: Buffer, start: number, end: number): number | undefined {
    const type = typeAt(body, start);
    const stop = skipValue(body, start, end);
    // As in vmagent, `inf` needs no quotes, but `Infinity` does.
    if (type === 'number') return isLongWord(body, start, stop) ? undefined : parseFloat64(body, start, stop);
    if (type !== 'string') return undefined;
    if (this.#hasBackslash && unescapeJson(this.#value, body, start + 1, stop - 1)) {
      return parseFloat64(this.#value.bytes, 0, this.#value.length);
    }
    return parseFloat64(body, start + 1, stop - 1);
  }

  /** Tags without name or value are left out. */
  #tags(body: Buffer, start: number, end: number): boolean {
    if (typeAt(body, start) !== 'object') return false;
    let allStrings = true;
    visitMembers(body, start, end, (keyStart, keyEnd, valueStart, valueEnd) => {
      if (typeAt(body, valueStart) !== 'string') allStrings = false;
      else if (keyEnd > keyStart && valueEnd - valueStart > 2) {
        if (this.#hasBackslash && unescapeJson(this.#key, body, keyStart, keyEnd)) {
          this.#label(this.#key.bytes, 0, this.#key.length, body, valueStart + 1, valueEnd - 1);
        } else this.#label(body, keyStart, keyEnd, body, valueStart + 1, valueEnd - 1);
      }
    });
    return allStrings;
  }

  #label(name: Buffer, nameStart: number, nameEnd: number, body: Buffer, start: number, end: number): void {
    if (this.#hasBackslash && unescapeJson(this.#value, body, start, end)) {
      this.#labels.label(name, nameStart, nameEnd, this.#value.bytes, 0, this.#value.length);
    } else this.#labels.label(name, nameStart, nameEnd, body, start, end);
  }
}

/** `infinity` in any case: no other number ends in its last letter. */
function isLongWord(body: Buffer, start: number, end: number): boolean {
  return end - start > 4 && (body[end - 1]! | 0x20) === 0x79;
}
