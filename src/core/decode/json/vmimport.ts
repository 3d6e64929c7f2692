import { escapeInvalid } from '../../model/invalid-utf8.ts';
import type { LabelFields } from '../../wire/label-fields.ts';
import type { DecodeContext } from '../decoder.ts';
import { largestOutput, limitOutput } from '../output-limit.ts';
import type { RecordArguments } from '../record-arguments.ts';
import { Scratch } from '../text/byte-text.ts';
import { LineDecoder } from '../text/line-decoder.ts';
import { parseFloat64, parseInt64 } from '../text/number.ts';
import { Members } from './members.ts';
import { skipJsonBlanks, typeAt, visitElements, visitMembers } from './scan.ts';
import { unescapeJson } from './text.ts';
import { quoteText, unknownMessage } from './unknown.ts';

/** Initial capacity for values, and the largest that is kept for the next record. */
const KEPT_VALUES = 1024;
/** Budget units per value, and per time. */
const UNITS_A_SAMPLE = 0.1;

/**
 * VictoriaMetrics' JSON lines (docs.victoriametrics.com, "How to import data in JSON line format"), one series a line:
 * `{"metric":{"__name__":"up"},"values":[1],"timestamps":[1700000000000]}`, the times in ms.
 *
 * A value may be null or one of the words for infinity and NaN in quotes. A label that is not a string is empty and
 * counted (`label_not_text`), as in VictoriaMetrics, which makes one series of `"id":1` and `"id":2`; if the format was
 * only guessed, the line is set aside instead. A label without a name is left out.
 */
export class VmImportDecoder extends LineDecoder {
  readonly name = 'vmimport';
  readonly contentTypes = ['application/stream+json', 'application/x-victoriametrics-json'];
  readonly #members = new Members(['metric', 'values', 'timestamps']);
  readonly #key = new Scratch();
  readonly #value = new Scratch();
  #values = new Float64Array(KEPT_VALUES);
  /** Number of values in the current line. */
  #count = 0;
  #extra!: LabelFields;
  #context!: DecodeContext;

  protected begin(context: DecodeContext, args: RecordArguments): void {
    this.#context = context;
    // One huge record must not hold its memory forever.
    if (this.#values.length > KEPT_VALUES) this.#values = new Float64Array(KEPT_VALUES);
    this.#extra = args.labels;
  }

  protected line(body: Buffer, start: number, end: number): string | undefined {
    const at = skipJsonBlanks(body, start, end);
    if (at === end || typeAt(body, at) !== 'object') return 'the line is not a JSON object';
    const stop = this.#members.find(body, at, end);
    if (stop < 0 || skipJsonBlanks(body, stop, end) !== end) return 'the line is not one JSON object';
    const { unknown } = this.#members;
    if (this.#context.isGuess && unknown.length > 0) return unknownMessage(unknown);
    const [metric, values, timestamps] = this.#members.found as [number, number, number];
    if (metric < 0 || typeAt(body, metric) !== 'object') return '"metric" is not an object';
    const fault = this.#readLabels(body, metric, end) ?? this.#readValues(body, values, end);
    if (fault !== undefined) return fault;
    const { builder } = this;
    builder.beginSeries();
    builder.labelFields(this.labels);
    builder.labelFields(this.#extra);
    const wrong = this.#writeSamples(body, timestamps, end);
    if (wrong === undefined) builder.endSeries();
    else builder.discardSeries();
    return wrong;
  }

  #readLabels(body: Buffer, metric: number, end: number): string | undefined {
    const { labels } = this;
    labels.clear();
    let foreign: string | undefined;
    visitMembers(body, metric, end, (keyStart, keyEnd, valueStart, valueEnd) => {
      if (keyEnd === keyStart) return;
      const type = typeAt(body, valueStart);
      if (type !== 'string' && type !== 'null') {
        foreign ??= escapeInvalid(body.subarray(keyStart, keyEnd));
        this.uncarried.add('label_not_text');
      }
      const escapedKey = this.hasBackslash && unescapeJson(this.#key, body, keyStart, keyEnd);
      const key = escapedKey ? this.#key.bytes : body;
      const from = escapedKey ? 0 : keyStart;
      const to = escapedKey ? this.#key.length : keyEnd;
      if (type !== 'string') labels.label(key, from, to, body, 0, 0);
      else if (this.hasBackslash && unescapeJson(this.#value, body, valueStart + 1, valueEnd - 1)) {
        labels.label(key, from, to, this.#value.bytes, 0, this.#value.length);
      } else labels.label(key, from, to, body, valueStart + 1, valueEnd - 1);
    });
    if (this.#context.isGuess && foreign !== undefined) return `label ${quoteText(foreign)} is not text`;
    return labels.length === 0 ? '"metric" has no labels' : undefined;
  }

  #readValues(body: Buffer, values: number, end: number): string | undefined {
    let fault: string | undefined;
    this.#count = 0;
    if (values < 0 || typeAt(body, values) !== 'array') return '"values" is not an array';
    visitElements(body, values, end, (start, stop) => {
      if (fault !== undefined) return;
      this.#context.budget?.spend(UNITS_A_SAMPLE);
      const value = readValue(body, start, stop);
      if (value === undefined) fault = `value ${this.#count} is not a number`;
      else this.#push(value);
    });
    return fault ?? (this.#count === 0 ? 'there are no values' : undefined);
  }

  /** Writes the samples of the current series while their times are read, so that a long line takes little memory. */
  #writeSamples(body: Buffer, timestamps: number, end: number): string | undefined {
    if (timestamps < 0 || typeAt(body, timestamps) !== 'array') return '"timestamps" is not an array';
    const { builder } = this;
    const largest = largestOutput(body.length, this.#context);
    let fault: string | undefined;
    let times = 0;
    visitElements(body, timestamps, end, (start, stop) => {
      if (fault !== undefined) return;
      this.#context.budget?.spend(UNITS_A_SAMPLE);
      limitOutput(builder.length, largest);
      const timestamp = parseInt64(body, start, stop);
      if (timestamp === undefined) fault = `timestamp ${times} is not a whole number of 64 bits`;
      else if (times < this.#count) builder.sample(this.#values[times]!, timestamp);
      times++;
    });
    if (fault !== undefined || times === this.#count) return fault;
    return `there are ${this.#count} values and ${times} timestamps`;
  }

  #push(value: number): void {
    if (this.#count === this.#values.length) {
      const grown = new Float64Array(this.#count * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#count++] = value;
  }
}

function readValue(body: Buffer, start: number, end: number): number | undefined {
  const type = typeAt(body, start);
  if (type === 'number') return parseFloat64(body, start, end);
  if (type === 'null') return Number.NaN;
  return type === 'string' && end - start <= 12
    ? WORDS.get(body.toString('latin1', start + 1, end - 1))
    : undefined;
}

const WORDS: ReadonlyMap<string, number> = new Map([
  ...['infinity', 'Infinity', 'Inf', 'inf'].flatMap((word): [string, number][] => [
    [word, Number.POSITIVE_INFINITY],
    [`-${word}`, Number.NEGATIVE_INFINITY],
  ]),
  ...['null', 'Null', 'nan', 'NaN'].flatMap((word): [string, number][] => [
    [word, Number.NaN],
    [`-${word}`, Number.NaN],
  ]),
]);
