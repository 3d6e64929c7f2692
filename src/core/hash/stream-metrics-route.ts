import type { Labels } from '../model/labels.ts';
import { compareByBytes } from './byte-order.ts';
import { SeriesKey } from './series-key.ts';

const key = new SeriesKey();

/**
 * stream-metrics-route's hash of a label set, for those who move from it: all names and values in one list, sorted by
 * bytes and concatenated, FNV-1a 32. Unlike a series key this is not injective: {a="b"} and {b="a"} share a hash.
 */
export function streamMetricsRouteHash(labels: Labels): number {
  const texts: string[] = [];
  for (const label of labels) texts.push(label.name, label.value);
  key.writeTexts(texts.sort(compareByBytes));
  return fnv1a32(key.bytes, 0, key.length);
}

/**
 * FNV-1a, 32 bits, of `bytes[start, end)`, as an unsigned number.
 * Source: G. Fowler, L. C. Noll, K.-P. Vo, "The FNV Non-Cryptographic Hash Algorithm".
 */
export function fnv1a32(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let hash = 0x811c9dc5 | 0;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x0100_0193);
  return hash >>> 0;
}
