import type { WriteRequestBuilder } from '../wire/write-request-builder.ts';
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

interface Family {
  readonly metric: string;
  type: number;
  help: string;
}

/** What the HELP and TYPE lines of one text say. Lines of one family that follow each other are one entry. */
export class PrometheusMetadata {
  readonly #builder: WriteRequestBuilder;
  readonly #help = new Scratch();
  /** The family at hand, built when its lines end. */
  #family: Family | undefined;

  constructor(builder: WriteRequestBuilder) {
    this.#builder = builder;
  }

  /** A record begins. */
  begin(): void {
    this.#family = undefined;
  }

  /** Takes a comment line; those that are not HELP or TYPE, or are malformed, are left out. */
  line(body: Buffer, start: number, end: number): void {
    const word = body.toString('latin1', start, Math.min(start + 6, end));
    const isType = word === '# TYPE';
    if (!isType && word !== '# HELP') return;
    const blank = start + 6;
    if (findBlank(body, blank, Math.min(end, blank + 1)) < 0) return;
    const nameEnd = findBlank(body, blank + 1, end);
    if (nameEnd < 0) return;
    const type = isType ? TYPES.get(body.toString('latin1', nameEnd + 1, Math.min(end, nameEnd + 20))) : 0;
    if (type === undefined) return;
    const family = this.#familyOf(body.toString('utf8', blank + 1, nameEnd));
    if (isType) {
      family.type = type;
      return;
    }
    const escaped = unescapeText(this.#help, body, nameEnd + 1, end, PROMETHEUS_ESCAPES);
    family.help = escaped
      ? this.#help.bytes.toString('utf8', 0, this.#help.length)
      : body.toString('utf8', nameEnd + 1, end);
  }

  /** The lines of a family end: builds it. */
  end(): void {
    if (this.#family === undefined) return;
    const { metric, type, help } = this.#family;
    this.#builder.metadata(type, metric, help, '');
    this.#family = undefined;
  }

  #familyOf(metric: string): Family {
    if (this.#family?.metric === metric) return this.#family;
    this.end();
    this.#family = { metric, type: 0, help: '' };
    return this.#family;
  }
}
