/**
 * The position after the UTF-8 byte order marks (EF BB BF) that `bytes[start, end)` begins with; `start` if there are
 * none. Editors and `Out-File` put one at the beginning of a text, and joining such texts puts it before later lines.
 * It is never part of a name: every encoding that is text or JSON skips it there.
 */
export function skipMarks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at + 3 <= end && bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf) at += 3;
  return at;
}
