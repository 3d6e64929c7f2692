import * as z from 'zod';
import { expectedName } from '../../core/model/nearest.ts';
import { isFilePath, isSecret, shown } from '../../core/options/types.ts';

/** How the text of an environment variable becomes a value. `quantity`: a number, or a text with a unit. */
export type LeafKind = 'text' | 'number' | 'boolean' | 'list' | 'quantity';

/** One key of the process settings. */
export interface Leaf {
  readonly path: readonly string[];
  /** Its environment variable. */
  readonly env: string;
  readonly kind: LeafKind;
  readonly secret: boolean;
  /** Whether the value is the path of a file. */
  readonly file: boolean;
  /** As written in the file; undefined if there is no default. */
  readonly default: unknown;
  readonly description: string;
}

/** A schema without the wrappers around it: default, optional, transform. */
interface Bare {
  readonly schema: z.ZodType;
  readonly default: unknown;
  readonly description: string;
}

export function bare(wrapped: z.ZodType): Bare {
  let schema = wrapped;
  let byDefault: unknown;
  let description = '';
  for (;;) {
    description ||= schema.description ?? '';
    if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
      byDefault ??= schema.def.defaultValue;
      schema = schema.def.innerType as z.ZodType;
    } else if (schema instanceof z.ZodOptional) {
      schema = schema.def.innerType as z.ZodType;
    } else if (schema instanceof z.ZodPipe) {
      schema = schema.def.in as z.ZodType;
    } else {
      return { schema, default: byDefault, description };
    }
  }
}

/** All scalar keys (and lists of texts) of an object schema, in the order of declaration. */
export function leavesOf(wrapped: z.ZodType, path: readonly string[] = []): Leaf[] {
  const { schema, default: byDefault, description } = bare(wrapped);
  if (schema instanceof z.ZodObject) {
    return Object.entries(schema.shape).flatMap(([key, inner]) =>
      leavesOf(inner as z.ZodType, [...path, key]),
    );
  }
  return [
    {
      path,
      env: `PENSTOCK_${path.join('_').toUpperCase()}`,
      kind: kindOf(schema),
      secret: isSecret(schema),
      file: isFilePath(schema),
      default: byDefault,
      description,
    },
  ];
}

function kindOf(schema: z.ZodType): LeafKind {
  if (schema instanceof z.ZodUnion) return 'quantity';
  if (schema instanceof z.ZodNumber) return 'number';
  if (schema instanceof z.ZodBoolean) return 'boolean';
  if (schema instanceof z.ZodArray) return 'list';
  return 'text';
}

/** The schema at a path of keys and list positions, undefined if there is none. */
export function schemaAt(root: z.ZodType, path: readonly PropertyKey[]): z.ZodType | undefined {
  let { schema } = bare(root);
  for (const step of path) {
    let inner: z.ZodType | undefined;
    if (schema instanceof z.ZodObject) inner = schema.shape[String(step)] as z.ZodType | undefined;
    else if (schema instanceof z.ZodArray) inner = schema.element as z.ZodType;
    if (inner === undefined) return undefined;
    schema = bare(inner).schema;
  }
  return schema;
}

/** True for a schema that is or contains a secret: any value given for it is masked. */
function holdsSecret(wrapped: z.ZodType): boolean {
  const { schema } = bare(wrapped);
  if (schema instanceof z.ZodObject) {
    return Object.values(schema.shape).some((inner) => holdsSecret(inner as z.ZodType));
  }
  if (schema instanceof z.ZodArray) return holdsSecret(schema.element as z.ZodType);
  return isSecret(schema);
}

/** `shown`, for a value that was given where `schema` is expected. */
export function shownFor(schema: z.ZodType | undefined, value: unknown): string {
  const mayBeSecret = typeof value !== 'object' && schema !== undefined && holdsSecret(schema);
  return mayBeSecret ? 'the given value' : shown(value);
}

/**
 * The problem of an unknown key in the mapping at `path`. A key with characters that no key has is not shown, as it may
 * hold a secret: in `url:http://user:password@host` the blank after the colon is missing, so all of it is the key.
 */
export function unknownKey<Step extends PropertyKey>(
  path: readonly Step[],
  key: string,
  known: readonly string[],
): { path: (Step | string)[]; message: string } {
  if (/^[\w.-]+$/.test(key))
    return { path: [...path, key], message: `unknown key; ${expectedName(key, known)}` };
  const expected = `expected one of ${known.join(', ')}, and a blank after its colon`;
  return { path: [...path], message: `a key here has characters that no key has; ${expected}` };
}

/** Names of the keys that a mapping at `path` may have. */
export function keysAt(root: z.ZodType, path: readonly PropertyKey[]): string[] {
  const schema = schemaAt(root, path);
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

type Report = (path: string[], message: string) => void;

/**
 * The part of `value` that has the shape of the schema: mappings where it has mappings, single values or
 * lists where it has leaves. The rest is reported. An empty section (`kafka:`) counts as absent.
 */
export function pickLeaves(
  schema: z.ZodObject,
  value: unknown,
  path: readonly string[],
  report: Report,
): Record<string, unknown> {
  const known = Object.keys(schema.shape);
  const picked: Record<string, unknown> = {};
  if (value === undefined || value === null) return picked;
  if (!isMapping(value)) {
    const given = shownFor(schema, value);
    report([...path], `${given} does not fit; expected a mapping with the keys ${known.join(', ')}`);
    return picked;
  }
  for (const [key, item] of Object.entries(value)) {
    const at = [...path, key];
    if (!known.includes(key)) {
      const problem = unknownKey(path, key, known);
      report(problem.path, problem.message);
      continue;
    }
    const inner = bare(schema.shape[key] as z.ZodType).schema;
    if (inner instanceof z.ZodObject) picked[key] = pickLeaves(inner, item, at, report);
    else if (isMapping(item))
      report(
        at,
        `a mapping does not fit; expected ${inner instanceof z.ZodArray ? 'a list' : 'a single value'}`,
      );
    else picked[key] = item;
  }
  return picked;
}

function isMapping(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
