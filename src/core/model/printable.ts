/**
 * Characters that a terminal obeys or that change how the text around them is read: controls (C0, DEL, C1), the
 * separators of lines and paragraphs, and what turns the direction of writing.
 */
const ACTIVE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** What nearly every text is: printable ASCII that JSON does not escape. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** A text as a JSON string, in which nothing is left that a terminal obeys. It stays valid JSON of the same text. */
export function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text).replace(ACTIVE, escaped);
}

/** The same without the quotes around it, and without escapes where none are needed: for text that people read. */
export function printable(text: string): string {
  return text.replace(ACTIVE, escaped);
}

/** JSON in which nothing is left that a terminal obeys, but the line breaks between its values. It stays the same JSON. */
export function printableJson(value: unknown, indent?: number): string {
  return printableLines(JSON.stringify(value, null, indent));
}

/** The same for a text of several lines, whose own line breaks stay. What is put into one line wants `printable`. */
export function printableLines(text: string): string {
  return text.replace(ACTIVE, (character) => (character === '\n' ? character : escaped(character)));
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
