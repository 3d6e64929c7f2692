import type { WriteRequestBuilder } from '../../wire/write-request-builder.ts';
import type { RecordBudget } from '../record-budget.ts';
import { escapes, findBlank, Scratch, unescapeText } from './byte-text.ts';

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

/**
 * Metadata from the HELP and TYPE lines of one text. Consecutive lines of one family make one entry.
 *
 * Names and help texts stay bytes, since a text may have a million of these lines.
 */
export class PrometheusMetadata {
  readonly #builder: WriteRequestBuilder;
  readonly #help = new Scratch();
  #budget: RecordBudget | undefined;
  /** The current family, built when its lines end: the range of its name in the body; an end of -1 is no family. */
  #body!: Buffer;
  #nameStart = 0;
  #nameEnd = -1;
  #type = 0;

  constructor(builder: WriteRequestBuilder) {
    this.#builder = builder;
  }

  /** Begins a record. */
  begin(budget: RecordBudget | undefined): void {
    this.#budget = budget;
    this.#nameEnd = -1;
  }

  /** Takes a comment line; those that are not HELP or TYPE, or are malformed, are ignored. */
  line(body: Buffer, start: number, end: number): void {
    const blank = start + TYPE.length;
    if (end <= blank) return;
    const isType = sameBytes(body, start, blank, TYPE, 0, TYPE.length);
    if (!isType && !sameBytes(body, start, blank, HELP, 0, HELP.length)) return;
    if (findBlank(body, blank, blank + 1) < 0) return;
    const nameEnd = findBlank(body, blank + 1, end);
    if (nameEnd < 0) return;
    const type = isType ? TYPES.get(body.toString('latin1', nameEnd + 1, Math.min(end, nameEnd + 20))) : 0;
    if (type === undefined) return;
    this.#turnTo(body, blank + 1, nameEnd);
    if (isType) this.#type = type;
    else if (!unescapeText(this.#help, body, nameEnd + 1, end, PROMETHEUS_ESCAPES)) {
      this.#help.clear();
      this.#help.append(body, nameEnd + 1, end);
    }
  }

  /** Builds the current family, whose lines have ended. */
  end(): void {
    if (this.#nameEnd < 0) return;
    this.#budget?.series();
    const metric = this.#body.subarray(this.#nameStart, this.#nameEnd);
    this.#builder.metadata(this.#type, metric, this.#help.bytes.subarray(0, this.#help.length));
    this.#nameEnd = -1;
  }

  #turnTo(body: Buffer, nameStart: number, nameEnd: number): void {
    const known = this.#nameEnd >= 0;
    if (known && sameBytes(body, nameStart, nameEnd, body, this.#nameStart, this.#nameEnd)) return;
    this.end();
    this.#body = body;
    this.#nameStart = nameStart;
    this.#nameEnd = nameEnd;
    this.#type = 0;
    this.#help.clear();
  }
}

/** For short texts: cheaper than a native call. */
function sameBytes(
  one: Uint8Array,
  oneStart: number,
  oneEnd: number,
  other: Uint8Array,
  otherStart: number,
  otherEnd: number,
): boolean {
  if (oneEnd - oneStart !== otherEnd - otherStart) return false;
  for (let at = oneStart, there = otherStart; at < oneEnd; at++, there++)
    if (one[at] !== other[there]) return false;
  return true;
}
