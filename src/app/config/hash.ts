import { createHash } from 'node:crypto';
import { masked } from './redact.ts';
import { options } from './schema.ts';

const LENGTH = 12;

/**
 * Tells configurations apart: a short hash of what the file and its relabel files say. Comments, the order of keys and the
 * environment are left out, so that all processes of a deployment have the same. So are secrets: a hash is served to
 * everybody, and a password could be guessed by it.
 *
 * @param given what the file says, with the rules of its relabel files in their places
 */
export function configHash(given: unknown): string {
  const text = JSON.stringify(masked(options, given));
  return createHash('sha256').update(text).digest('hex').slice(0, LENGTH);
}
