import { didYouMean } from '../model/nearest.ts';
import { formatFixed, YamlScalar } from './scalar.ts';

/** Engine that the rules are written for. */
export type Dialect = 'victoriametrics' | 'prometheus';

/** An invalid rule. The message says what is wrong and what to do. */
export class RuleError extends Error {
  override readonly name = 'RuleError';
  /** Index of the rule, from 0. */
  readonly index: number;
  /** The key at fault, if it is a single one. */
  readonly key: string | undefined;

  constructor(index: number, key: string | undefined, message: string, options?: ErrorOptions) {
    super(message, options);
    this.index = index;
    this.key = key;
  }
}

/** A rule as written. Keys and types have been checked, their combination has not. Absent keys are undefined. */
export interface Rule {
  readonly index: number;
  /** In lower case; `''` when it was given without a value. */
  readonly action: string;
  /** As written: VictoriaMetrics compares this form when it decides on anchors. */
  readonly actionAsWritten: string;
  readonly sourceLabels: readonly string[] | undefined;
  readonly separator: string | undefined;
  readonly targetLabel: string;
  readonly regex: string | undefined;
  readonly modulus: bigint;
  readonly replacement: string | undefined;
  /** VictoriaMetrics: selectors of which one must match; undefined or empty: no condition. */
  readonly if: readonly string[] | undefined;
  /** VictoriaMetrics, graphite: template of the metric name; `''` when absent. */
  readonly match: string;
  /** VictoriaMetrics, graphite: label name ▸ template of its value. */
  readonly labels: readonly (readonly [name: string, template: string])[];
}

const PROMETHEUS_KEYS: readonly string[] = [
  'action',
  'source_labels',
  'separator',
  'target_label',
  'regex',
  'modulus',
  'replacement',
];
const VICTORIAMETRICS_KEYS: readonly string[] = [...PROMETHEUS_KEYS, 'if', 'match', 'labels'];

/**
 * Reads the keys of one parsed YAML mapping.
 *
 * A key without a value counts as absent in VictoriaMetrics; in Prometheus it empties the field, also
 * where the default is something else.
 *
 * @throws RuleError for an unknown key or a value of the wrong type.
 */
export function readRule(raw: unknown, index: number, dialect: Dialect): Rule {
  const fields = new FieldReader(index, asMapping(raw, index, dialect), dialect);
  const action = fields.text('action') ?? '';
  return {
    index,
    action: fields.has('action') ? action.toLowerCase() : 'replace',
    actionAsWritten: action,
    sourceLabels: fields.texts('source_labels'),
    separator: fields.text('separator'),
    targetLabel: fields.text('target_label') ?? '',
    regex: dialect === 'prometheus' ? fields.text('regex') : fields.regexLines('regex'),
    modulus: fields.unsigned('modulus'),
    replacement: fields.text('replacement'),
    if: fields.selectors('if'),
    match: fields.text('match') ?? '',
    labels: fields.templates('labels'),
  };
}

function asMapping(raw: unknown, index: number, dialect: Dialect): Record<string, unknown> {
  if (isNull(raw)) throw new RuleError(index, undefined, 'the rule is empty: give it at least an action');
  if (!isMapping(raw)) {
    throw new RuleError(index, undefined, `a rule must be a mapping of keys to values, not ${kindOf(raw)}`);
  }
  const known = dialect === 'prometheus' ? PROMETHEUS_KEYS : VICTORIAMETRICS_KEYS;
  for (const key of Object.keys(raw)) {
    if (known.includes(key)) continue;
    const hint = VICTORIAMETRICS_KEYS.includes(key)
      ? '; it is known in the dialect "victoriametrics" only'
      : didYouMean(key, known);
    throw new RuleError(index, key, `unknown key "${key}"${hint}`);
  }
  return raw;
}

/** Reads typed fields. Null is absent, except where Prometheus takes it for the empty value. */
class FieldReader {
  readonly #index: number;
  readonly #fields: Record<string, unknown>;
  readonly #dialect: Dialect;

  constructor(index: number, fields: Record<string, unknown>, dialect: Dialect) {
    this.#index = index;
    this.#fields = fields;
    this.#dialect = dialect;
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#fields, key);
  }

  text(key: string): string | undefined {
    if (!this.has(key)) return undefined;
    const value = this.#fields[key];
    if (isBareNull(value)) return this.#dialect === 'prometheus' ? '' : undefined;
    return this.#asText(key, value);
  }

  texts(key: string): string[] | undefined {
    const value = this.#fields[key];
    if (value === undefined || isNull(value)) return undefined;
    if (!Array.isArray(value))
      throw this.#wrongType(key, value, 'a list of label names, like [job, instance]');
    return value.map((item) => this.#asText(key, item));
  }

  /** VictoriaMetrics' regex: text, or a list of alternatives. Numbers and booleans are read as values. */
  regexLines(key: string): string | undefined {
    const value = this.#fields[key];
    return value === undefined || isBareNull(value) ? undefined : this.#regexLine(key, value);
  }

  #regexLine(key: string, value: unknown): string {
    if (Array.isArray(value)) return value.map((item) => this.#regexLine(key, item)).join('|');
    if (typeof value === 'string') return value;
    const plain = value instanceof YamlScalar ? value.value : value;
    if (plain === null) return 'null';
    if (typeof plain === 'boolean') return String(plain);
    if (typeof plain === 'number') return formatFixed(plain);
    if (typeof plain === 'bigint' && plain < 2n ** 63n) return String(plain);
    throw this.#wrongType(key, value, 'text or a list of texts');
  }

  /** An unsigned 64-bit integer; a fraction is cut off, as Go's YAML does. */
  unsigned(key: string): bigint {
    const value = this.#fields[key];
    if (value === undefined || isNull(value)) return 0n;
    const plain = value instanceof YamlScalar ? value.value : value;
    const wanted = 'a whole number from 1 to 18446744073709551615';
    const isNumber = typeof plain === 'bigint' || (typeof plain === 'number' && Number.isFinite(plain));
    if (!isNumber) throw this.#wrongType(key, value, wanted);
    const whole = typeof plain === 'number' ? BigInt(Math.trunc(plain)) : plain;
    if (plain < 0 || whole >= 2n ** 64n) throw this.#wrongType(key, value, wanted);
    return whole;
  }

  selectors(key: string): string[] | undefined {
    const value = this.#fields[key];
    if (value === undefined || isBareNull(value)) return undefined;
    const items: readonly unknown[] = Array.isArray(value) ? value : [value];
    return items.map((item) => {
      if (typeof item === 'string') return item;
      throw this.#wrongType(key, item, `a series selector, like '{job="api"}', or a list of them`);
    });
  }

  templates(key: string): [string, string][] {
    const value = this.#fields[key];
    if (value === undefined || isNull(value)) return [];
    if (!isMapping(value)) throw this.#wrongType(key, value, 'a mapping of label names to templates');
    return Object.entries(value).map(([name, template]) => [name, this.#asText(key, template)]);
  }

  #asText(key: string, value: unknown): string {
    if (typeof value === 'string') return value;
    if (isNull(value)) return '';
    if (value instanceof YamlScalar) return value.text;
    if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') {
      return String(value);
    }
    throw this.#wrongType(key, value, 'text');
  }

  #wrongType(key: string, value: unknown, wanted: string): RuleError {
    return new RuleError(this.#index, key, `"${key}" must be ${wanted}, not ${kindOf(value)}`);
  }
}

function isNull(value: unknown): boolean {
  return value === null || (value instanceof YamlScalar && value.value === null);
}

/** Spellings of null that Go's YAML does not pass to a type with its own parser. */
function isBareNull(value: unknown): boolean {
  if (value instanceof YamlScalar) return value.value === null && ['', '~', 'null'].includes(value.text);
  return value === null;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof YamlScalar)
  );
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isMapping(value)) return 'a mapping';
  const text = value instanceof YamlScalar ? value.text : String(value);
  return isNull(value) ? 'empty' : JSON.stringify(text);
}
