import { PoisonError } from '../../model/errors.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import { WriteRequestBuilder } from '../../wire/write-request-builder.ts';
import type { DecodeContext, Decoded } from '../decoder.ts';
import { isZero, ZERO_TIME } from '../json/time.ts';
import { quoteText } from '../json/unknown.ts';
import { largestOutput, limitOutput } from '../output-limit.ts';
import { INVALID_UTF8 } from '../text/utf8.ts';
import { Uncarried } from '../uncarried.ts';
import { Instant } from './instant.ts';
import { plainMeaning } from './known-messages.ts';
import { MappedRejects } from './mapped-rejects.ts';
import { labelText, sampleValue, timestampMs } from './mapped-values.ts';
import { compileMapping, isObject, type Mapping, type MappingOptions, valueByPath } from './mapping.ts';

/** Turns records of any shape into a WriteRequest, as a mapping says. A bad series is set aside alone. */
export class SeriesMapper {
  readonly #mapping: Mapping;
  readonly #builder = new WriteRequestBuilder();
  #context!: DecodeContext;
  #largest = 0;
  /** Samples whose time is 0. */
  #zeroTimes = 0;
  /** Labels of the current series, in the order of their first mention. */
  readonly #labels = new Map<string, string>();
  /** Whether a label that is a number ends the mapping with `NUMBER_LABEL`. */
  #stopsAtNumbers = false;

  constructor(options: MappingOptions) {
    this.#mapping = compileMapping(options);
  }

  /**
   * Maps JSON. Labels keep the text of numbers that JavaScript would write differently (`1.10`): if the record has such
   * numbers and a label is a number, all is read again, with those numbers as text.
   */
  mapJson(
    read: (isVerbatim: boolean) => { readonly value: unknown; readonly hasOddNumbers: boolean },
    map: (value: unknown) => Decoded,
  ): Decoded {
    const { value, hasOddNumbers } = read(false);
    if (!hasOddNumbers) return map(value);
    try {
      this.#stopsAtNumbers = true;
      return map(value);
    } catch (error) {
      if (error !== NUMBER_LABEL) throw error;
    } finally {
      this.#stopsAtNumbers = false;
    }
    return map(read(true).value);
  }

  /**
   * @param value a record as plain values: see `WriterSchema`
   * @param bodyBytes size of the record, which bounds the size of its output
   * @throws PoisonError `mapping` if the list of series is missing
   */
  map(value: unknown, bodyBytes: number, context: DecodeContext): Decoded {
    const { series } = this.#mapping;
    // A record that is a list has no field to name it by.
    const elements = series.length > 0 ? valueByPath(value, series) : Array.isArray(value) ? value : [value];
    if (!Array.isArray(elements)) {
      throw new PoisonError(
        'decode',
        'mapping',
        `the record has no list at ${series.join('.')} (worker.mapping.series), but ${kindOf(elements)}`,
      );
    }
    return this.mapElements(elements, bodyBytes, context);
  }

  /** As `map`, for a list of series that is already found. */
  mapElements(elements: readonly unknown[], bodyBytes: number, context: DecodeContext): Decoded {
    const builder = this.#builder;
    const rejects = new MappedRejects(context.budget);
    this.#context = context;
    this.#zeroTimes = 0;
    this.#largest = largestOutput(bodyBytes, context);
    builder.reset();
    for (const [index, element] of elements.entries()) {
      context.budget?.spend();
      const fault = this.#series(element);
      if (fault === undefined) context.budget?.series();
      else rejects.add(element, index, fault === NOT_UTF8 ? INVALID_UTF8 : 'mapping', fault);
    }
    const uncarried = new Uncarried();
    if (elements.length === 0) uncarried.add('empty_record');
    if (this.#zeroTimes > 0) uncarried.add(ZERO_TIME, this.#zeroTimes);
    return { body: builder.finish(), rejects: rejects.finish(), ...uncarried.field };
  }

  /** Builds one series, or returns its fault and builds nothing. */
  #series(element: unknown): string | undefined {
    if (!isObject(element)) return `expected an object, found ${kindOf(element)}`;
    const fault = this.#readLabels(element);
    if (fault !== undefined) return fault;
    const { samples } = this.#mapping;
    const list = samples.length === 0 ? [element] : valueByPath(element, samples);
    if (!Array.isArray(list)) return `${samples.join('.')} is no list of samples, but ${kindOf(list)}`;
    if (list.length === 0) return `${samples.join('.')} has no samples`;
    const builder = this.#builder;
    builder.beginSeries();
    for (const [name, value] of this.#labels) builder.label(name, value);
    if (!builder.isWellFormed) {
      builder.discardSeries();
      return NOT_UTF8;
    }
    for (const [at, sample] of list.entries()) {
      this.#context.budget?.spend(0.5);
      limitOutput(builder.length, this.#largest);
      const wrong = this.#sample(sample);
      if (wrong === undefined) continue;
      builder.discardSeries();
      return samples.length === 0 ? wrong : `sample ${at}: ${wrong}`;
    }
    builder.endSeries();
    return undefined;
  }

  #sample(sample: unknown): string | undefined {
    const { value: valuePath, timestamp: timePath, timestamp_unit } = this.#mapping;
    const found = valueByPath(sample, valuePath);
    const value = sampleValue(found);
    if (value === undefined) return `${valuePath.join('.')} is no number, but ${kindOf(found)}`;
    let time: number | undefined = this.#context.timestamp;
    if (timePath.length > 0) {
      const given = valueByPath(sample, timePath);
      const isUnset = isZero(given instanceof Instant ? given.count : given);
      time = isUnset ? time : timestampMs(given, timestamp_unit);
      if (isUnset) this.#zeroTimes++;
      if (time === undefined) {
        return `${timePath.join('.')} is no time in ${timestamp_unit}, but ${kindOf(given)}`;
      }
    }
    this.#builder.sample(value, time);
    return undefined;
  }

  #readLabels(element: unknown): string | undefined {
    const { name: namePath, labels: labelsPath, labelFields, constantLabels } = this.#mapping;
    const labels = this.#labels;
    labels.clear();
    const name = namePath.length === 0 ? undefined : valueByPath(element, namePath);
    if (name !== undefined && name !== null) {
      if (typeof name !== 'string') return `${namePath.join('.')} is no text, but ${kindOf(name)}`;
      labels.set(METRIC_NAME, name);
    }
    const named = labels.get(METRIC_NAME);
    const fault = labelsPath.length === 0 ? undefined : this.#readLabelsAt(element, labelsPath);
    if (fault !== undefined) return fault;
    for (const [label, path] of labelFields) {
      const wrong = this.#add(label, valueByPath(element, path));
      if (wrong !== undefined) return wrong;
    }
    if (named) labels.set(METRIC_NAME, named);
    for (const [label, value] of constantLabels) labels.set(label, value);
    for (const [label, value] of labels) if (value === '') labels.delete(label);
    if (labels.has(METRIC_NAME)) return undefined;
    const where = namePath.length === 0 ? '' : `${namePath.join('.')}, or `;
    return `there is no metric name; expected it in ${where}the label ${METRIC_NAME}`;
  }

  #readLabelsAt(element: unknown, path: readonly string[]): string | undefined {
    const found = valueByPath(element, path);
    if (found === undefined) return `${path.join('.')} is missing`;
    if (found === null) return undefined;
    if (Array.isArray(found)) return this.#readLabelList(found, path);
    if (!isObject(found)) return `${path.join('.')} is neither an object nor a list, but ${kindOf(found)}`;
    for (const label of Object.keys(found)) {
      const fault = this.#add(label, found[label]);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  #readLabelList(list: readonly unknown[], path: readonly string[]): string | undefined {
    const { label_name, label_value } = this.#mapping;
    const seen = new Set<string>();
    for (const [at, item] of list.entries()) {
      const name = valueByPath(item, [label_name]);
      if (typeof name !== 'string') {
        return `${path.join('.')}[${at}].${label_name} is no text, but ${kindOf(name)}`;
      }
      if (seen.has(name)) return `${path.join('.')} has label ${quoteText(name)} twice`;
      seen.add(name);
      const fault = this.#add(name, valueByPath(item, [label_value]));
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  /** Adds a label. null, a missing field and the empty text mean an absent label. */
  #add(label: string, given: unknown): string | undefined {
    this.#context.budget?.spend(0.25);
    const value = plainMeaning(given);
    if (value === undefined || value === null) return undefined;
    if (label === '') return 'a label has no name';
    if (this.#stopsAtNumbers && typeof value === 'number') throw NUMBER_LABEL;
    const text = labelText(value);
    if (text === undefined) return `label ${quoteText(label)} is no text, but ${kindOf(value)}`;
    this.#labels.set(label, text);
    return undefined;
  }
}

const NUMBER_LABEL = new Error('a label is a number');

const NOT_UTF8 = 'its name or a label is not UTF-8';

/** Describes a value for messages: short, and on one line. */
function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Instant) return 'a time';
  if (typeof value === 'object') return 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
