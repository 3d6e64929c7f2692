import { createHash } from 'node:crypto';
import { masked } from './redact.ts';
import { options } from './schema.ts';

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
