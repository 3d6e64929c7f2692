import * as z from 'zod';
import { isSecret } from '../../core/options/types.ts';
import { YamlScalar } from '../../core/relabel/scalar.ts';
import { bare } from './leaves.ts';
import { type Options, options } from './schema.ts';

/** Replacement of a secret. */
export const MASK = '********';

/** The options of a configuration with every secret masked: the only form that may be printed. */
export function redacted(config: Options): Options {
  return masked(options, config) as Options;
}

/** A value of a schema, as given or as read, with every secret masked. */
export function masked(wrapped: z.ZodType, value: unknown): unknown {
  const { schema } = bare(wrapped);
  if (value === undefined) return undefined;
  if (isSecret(schema)) return MASK;
  if (schema instanceof z.ZodArray) {
    return (value as unknown[]).map((item) => masked(schema.element as z.ZodType, item));
  }
  if (schema instanceof z.ZodObject) {
    const entries = Object.entries(schema.shape).map(([key, inner]) => [
      key,
      masked(inner as z.ZodType, (value as Record<string, unknown>)[key]),
    ]);
    return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
  }
  return plain(value);
}

/** Rules with scalars as they were written. */
function plain(value: unknown): unknown {
  if (value instanceof YamlScalar) return value.text;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
