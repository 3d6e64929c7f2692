/**
 * Order of two texts by their UTF-8 bytes: negative, 0 or positive, for `sort`.
 *
 * JavaScript compares UTF-16 units. The two orders differ only where a surrogate (a code point from
 * U+10000) meets a unit from U+E000, so those are moved past each other.
 */
export function compareByBytes(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let at = 0; at < shorter; at++) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x !== y) return x < 0xd800 || y < 0xd800 ? x - y : codePointRank(x) - codePointRank(y);
  }
  return a.length - b.length;
}

/** Puts the surrogates above every other unit. */
function codePointRank(unit: number): number {
  return unit < 0xe000 ? unit + 0x2800 : unit;
}
