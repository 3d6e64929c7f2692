import { createHash } from 'node:crypto';
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

const LENGTH = 12;

/**
 * Short hash of the content of the file and its relabel files, to tell configurations apart. Comments, the environment
 * and the order of keys do not count, so that all processes of a deployment agree. Nor do secrets: the hash is public,
 * and a password could be guessed from it.
 *
 * @param given content of the file, with the rules of its relabel files in their places
 */
export function configHash(given: unknown): string {
  const text = JSON.stringify(masked(options, given), inOrder);
  return createHash('sha256').update(text).digest('hex').slice(0, LENGTH);
}

/** The members of an object in order of their names. */
function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
