/**
 * Upper and lower case as Go has them: one character becomes one character ("simple" mappings of the Unicode Character
 * Database). JavaScript's full mappings (`ß` ▸ `SS`, the final sigma of a word) are avoided by mapping one character at
 * a time and rejecting results of several.
 */
export function toUpperSimple(text: string): string {
  return isAscii(text) ? text.toUpperCase() : mapCharacters(text, upperCharacter);
}

/** @see toUpperSimple */
export function toLowerSimple(text: string): string {
  return isAscii(text) ? text.toLowerCase() : mapCharacters(text, lowerCharacter);
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}

function mapCharacters(text: string, map: (char: string) => string): string {
  let result = '';
  for (const char of text) result += map(char);
  return result;
}

function upperCharacter(char: string): string {
  const upper = char.toUpperCase();
  if (isOneCharacter(upper)) return upper;
  // Greek letters with iota subscript: the full mapping spells the iota out, the simple one is the title case.
  const code = char.codePointAt(0)!;
  const isLowerRow = code >= 0x1f80 && code <= 0x1faf && (code & 8) === 0;
  if (isLowerRow) return String.fromCodePoint(code + 8);
  if (code === 0x1fb3 || code === 0x1fc3 || code === 0x1ff3) return String.fromCodePoint(code + 9);
  return char;
}

function lowerCharacter(char: string): string {
  const lower = char.toLowerCase();
  // The one character with a longer lower case: I with a dot above.
  return isOneCharacter(lower) ? lower : 'i';
}

function isOneCharacter(text: string): boolean {
  return text.length === ((text.codePointAt(0) ?? 0) > 0xffff ? 2 : 1);
}
