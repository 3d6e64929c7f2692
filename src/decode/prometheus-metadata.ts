import type { WriteRequestBuilder } from '../wire/write-request-builder.ts';
import { escapes, findBlank, HASH, Scratch, SPACE, unescapeText } from './byte-text.ts';
import type { RecordBudget } from './record-budget.ts';

/** Escapes of help texts, label names and label values: `\\`, `\"` and `\n`. */
export const PROMETHEUS_ESCAPES = escapes('\\"n', '\\"\n');

/** Types of a metric family, with their numbers in prompb's MetricMetadata. */
const TYPES: ReadonlyMap<string, number> = new Map([
  ['untyped', 0],
  ['unknown', 0],
  ['counter', 1],
  ['gauge', 2],
  ['histogram', 3],
  ['gaugehistogram', 4],
  ['summary', 5],
  ['info', 6],
  ['stateset', 7],
]);

const TYPE = Buffer.from('# TYPE');
const HELP = Buffer.from('# HELP');
const NONE: Buffer = Buffer.alloc(0);

/**
 * What the HELP and TYPE lines of one text say. Lines of one family that follow each other are one entry.
 *
 * Names and texts stay ranges of bytes: a text may have a million of these lines.
 */
export class PrometheusMetadata {
  readonly #builder: WriteRequestBuilder;
  readonly #unescaped = new Scratch();
  #budget: RecordBudget | undefined;
  /** The family at hand, built when its lines end: its name; undefined where there is none. */
  #metric: Buffer | undefined;
  #type = 0;
  #help = NONE;

  constructor(builder: WriteRequestBuilder) {
    this.#builder = builder;
  }

  /** A record begins. */
  begin(budget: RecordBudget | undefined): void {
    this.#budget = budget;
    this.#metric = undefined;
  }

  /** Takes a comment line; those that are not HELP or TYPE, or are malformed, are left out. */
  line(body: Buffer, start: number, end: number): void {
    const blank = start + TYPE.length;
    if (end - start <= TYPE.length || body[start] !== HASH || body[start + 1] !== SPACE) return;
    const isType = body.compare(TYPE, 0, TYPE.length, start, blank) === 0;
    if (!isType && body.compare(HELP, 0, HELP.length, start, blank) !== 0) return;
    if (findBlank(body, blank, blank + 1) < 0) return;
    const nameEnd = findBlank(body, blank + 1, end);
    if (nameEnd < 0) return;
    const type = isType ? TYPES.get(body.toString('latin1', nameEnd + 1, Math.min(end, nameEnd + 20))) : 0;
    if (type === undefined) return;
    this.#turnTo(body, blank + 1, nameEnd);
    if (isType) this.#type = type;
    else {
      const escaped = unescapeText(this.#unescaped, body, nameEnd + 1, end, PROMETHEUS_ESCAPES);
      // The scratch stays as it is until the family ends, or has another help text.
      this.#help = escaped
        ? this.#unescaped.bytes.subarray(0, this.#unescaped.length)
        : body.subarray(nameEnd + 1, end);
    }
  }

  /** The lines of a family end: builds it. */
  end(): void {
    if (this.#metric === undefined) return;
    this.#budget?.series();
    this.#builder.metadata(this.#type, this.#metric, this.#help);
    this.#metric = undefined;
  }

  #turnTo(body: Buffer, nameStart: number, nameEnd: number): void {
    const metric = this.#metric;
    if (metric !== undefined && metric.compare(body, nameStart, nameEnd) === 0) return;
    this.end();
    this.#metric = body.subarray(nameStart, nameEnd);
    this.#type = 0;
    this.#help = NONE;
  }
}
