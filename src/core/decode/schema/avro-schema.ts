import type { InstantUnit } from './instant.ts';

/** `long` is `int` too; its unit is that of a time since the epoch, if a logical type says so. */
export type AvroType =
  | { readonly kind: 'null' | 'boolean' | 'float' | 'double' | 'string' | 'bigDecimal' }
  | { readonly kind: 'long'; readonly unit?: InstantUnit }
  | { readonly kind: 'bytes'; readonly scale?: number }
  | { readonly kind: 'fixed'; readonly size: number; readonly scale?: number; readonly uuid?: boolean }
  | { readonly kind: 'enum'; readonly symbols: readonly string[] }
  | { readonly kind: 'array' | 'map'; readonly items: AvroType }
  | { readonly kind: 'union'; readonly branches: readonly AvroType[] }
  | AvroRecord;

export interface AvroRecord {
  readonly kind: 'record';
  readonly fields: { readonly name: string; readonly type: AvroType }[];
}

type Json = Readonly<Record<string, unknown>>;

/** Deepest nesting of types in the text of a schema: more than any has, and far from a stack overflow. */
const MAX_DEPTH = 300;
const TIMESTAMP = /^(?:local-)?timestamp-(milli|micro|nano)s$/;
const UNITS: Readonly<Record<string, InstantUnit>> = { milli: 'ms', micro: 'us', nano: 'ns' };

/**
 * Parses a schema as far as reading its records needs it (Avro 1.12 specification, "Schema Declaration"). The rest is
 * ignored: whether names are legal, defaults, aliases, order, attributes of others.
 *
 * @param text JSON, or the bare name of a primitive type
 * @param references texts of schemas whose named types it uses, in any order
 * @throws Error that says what of the schema cannot be used
 */
export function parseAvroSchema(text: string, references: readonly string[] = []): AvroType {
  const parser = new Parser();
  for (const reference of references) parser.define(parseJson(reference), '', 0);
  const schema = parseJson(text);
  parser.define(schema, '', 0);
  return parser.type(schema, '', 0);
}

function parseJson(text: string): unknown {
  if (/^\s*[a-z]+\s*$/.test(text)) return text.trim();
  return JSON.parse(text);
}

class Parser {
  /** Named types by their full names, with the namespace that surrounds their definition. */
  readonly #named = new Map<string, { readonly schema: Json; readonly namespace: string }>();
  /** Types already begun, since named ones may contain themselves. */
  readonly #types = new Map<object, AvroType>();

  /** Registers the named types in a schema, so that they may be referred to from anywhere. */
  define(schema: unknown, namespace: string, depth: number): void {
    refuseDepth(depth);
    if (Array.isArray(schema)) for (const branch of schema) this.define(branch, namespace, depth + 1);
    if (!isJson(schema)) return;
    let inner = namespace;
    if (isNamed(schema)) {
      inner = namespaceOf(schema, namespace);
      const name = String(schema['name'] ?? '');
      this.#named.set(fullName(name, inner), { schema, namespace });
    }
    for (const part of partsOf(schema)) this.define(part, inner, depth + 1);
  }

  type(schema: unknown, namespace: string, depth: number): AvroType {
    refuseDepth(depth);
    if (typeof schema === 'string') return primitive(schema, {}) ?? this.#byName(schema, namespace, depth);
    if (Array.isArray(schema)) {
      return { kind: 'union', branches: schema.map((branch) => this.type(branch, namespace, depth + 1)) };
    }
    if (!isJson(schema))
      throw new TypeError(`${shown(schema)} is no type; expected a name, an object or a list`);
    const begun = this.#types.get(schema);
    if (begun !== undefined) return begun;
    return this.#object(schema, namespace, depth);
  }

  #byName(name: string, namespace: string, depth: number): AvroType {
    const found = this.#named.get(fullName(name, namespace)) ?? this.#named.get(name);
    if (found === undefined) {
      throw new TypeError(
        `type ${shown(name)} is defined neither by the schema nor by those that it refers to`,
      );
    }
    return this.type(found.schema, found.namespace, depth + 1);
  }

  #object(schema: Json, namespace: string, depth: number): AvroType {
    const { type } = schema;
    if (type === 'record' || type === 'error') return this.#record(schema, namespace, depth);
    const built = this.#plainObject(schema, namespace, depth);
    this.#types.set(schema, built);
    return built;
  }

  #plainObject(schema: Json, namespace: string, depth: number): AvroType {
    const { type } = schema;
    switch (type) {
      case 'array':
        return { kind: 'array', items: this.type(schema['items'], namespace, depth + 1) };
      case 'map':
        return { kind: 'map', items: this.type(schema['values'], namespace, depth + 1) };
      case 'enum':
        return { kind: 'enum', symbols: symbolsOf(schema) };
      case 'fixed':
        return fixed(schema);
      default:
        if (typeof type === 'string') return primitive(type, schema) ?? this.#byName(type, namespace, depth);
        return this.type(type, namespace, depth + 1);
    }
  }

  #record(schema: Json, outer: string, depth: number): AvroRecord {
    const namespace = namespaceOf(schema, outer);
    const record: AvroRecord = { kind: 'record', fields: [] };
    this.#types.set(schema, record);
    const { fields } = schema;
    if (!Array.isArray(fields)) throw new TypeError(`record ${shown(schema['name'])} has no list of fields`);
    for (const field of fields) {
      if (!isJson(field) || typeof field['name'] !== 'string') {
        throw new TypeError(`record ${shown(schema['name'])} has a field without a name: ${shown(field)}`);
      }
      const { name, type } = field;
      record.fields.push({ name, type: this.type(type, namespace, depth + 1) });
    }
    return record;
  }
}

function partsOf(schema: Json): readonly unknown[] {
  const { type, items, values, fields } = schema;
  const inFields = Array.isArray(fields) ? fields.filter(isJson).map((field) => field['type']) : [];
  return [items, values, ...inFields, ...(typeof type === 'string' ? [] : [type])];
}

function isNamed({ type }: Json): boolean {
  return type === 'record' || type === 'error' || type === 'enum' || type === 'fixed';
}

/** Namespace in which the parts of a named type look up names. */
function namespaceOf({ name, namespace }: Json, outer: string): string {
  const text = String(name ?? '');
  if (text.includes('.')) return text.slice(0, text.lastIndexOf('.'));
  return typeof namespace === 'string' ? namespace : outer;
}

function fullName(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}

function primitive(name: string, { logicalType, scale }: Json): AvroType | undefined {
  switch (name) {
    case 'null':
    case 'boolean':
    case 'float':
    case 'double':
    case 'string':
      return { kind: name };
    case 'int':
      return logicalType === 'date' ? { kind: 'long', unit: 'd' } : { kind: 'long' };
    case 'long': {
      const [, unit] = TIMESTAMP.exec(String(logicalType)) ?? [];
      return unit === undefined ? { kind: 'long' } : { kind: 'long', unit: UNITS[unit]! };
    }
    case 'bytes':
      if (logicalType === 'big-decimal') return { kind: 'bigDecimal' };
      return { kind: 'bytes', ...decimalScale(logicalType, scale) };
    default:
      return undefined;
  }
}

function fixed({ name, size, logicalType, scale }: Json): AvroType {
  if (!Number.isSafeInteger(size) || Number(size) < 0) {
    throw new TypeError(`fixed ${shown(name)} has the size ${shown(size)}`);
  }
  const bytes = Number(size);
  if (logicalType === 'uuid' && bytes === 16) return { kind: 'fixed', size: bytes, uuid: true };
  return { kind: 'fixed', size: bytes, ...decimalScale(logicalType, scale) };
}

/** Scale of a decimal. With an invalid scale the logical type is ignored, as the specification says. */
function decimalScale(logicalType: unknown, scale: unknown = 0): { scale?: number } {
  const isDecimal = logicalType === 'decimal' && Number.isSafeInteger(scale) && Number(scale) >= 0;
  return isDecimal ? { scale: Number(scale) } : {};
}

function symbolsOf({ name, symbols }: Json): readonly string[] {
  if (!Array.isArray(symbols)) throw new TypeError(`enum ${shown(name)} has no list of symbols`);
  return symbols.map(String);
}

function refuseDepth(depth: number): void {
  if (depth > MAX_DEPTH) throw new RangeError(`its types nest deeper than ${MAX_DEPTH} levels`);
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
