/**
 * Active characters: those that a terminal interprets or that change how the text around them is displayed. Controls
 * (C0, DEL, C1), line and paragraph separators, and bidirectional controls.
 */
const ACTIVE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** Fast path for nearly every text: printable ASCII that JSON does not escape. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** JSON string of a text with all active characters escaped. It parses to the same text. */
export function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text).replace(ACTIVE, escaped);
}

/** The text with active characters escaped and nothing else changed: for people, not for parsers. */
export function printable(text: string): string {
  return text.replace(ACTIVE, escaped);
}

/** JSON with active characters escaped, except the line breaks of its layout. It parses to the same value. */
export function printableJson(value: unknown, indent?: number): string {
  return printableLines(JSON.stringify(value, null, indent));
}

/** As `printable`, but line breaks stay. Text that is put into one line needs `printable`. */
export function printableLines(text: string): string {
  return text.replace(ACTIVE, (character) => (character === '\n' ? character : escaped(character)));
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
