import { nearest } from '../model/nearest.ts';

/** `; did you mean "keep"?` when a known word is near enough to what was written, else the empty string. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const best = nearest(word, known);
  return best === undefined ? '' : `; did you mean "${best}"?`;
}
