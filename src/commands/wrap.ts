import { printable } from '../model/printable.ts';

/** Columns that text for people keeps within. */
export const WIDTH = 100;

/**
 * Breaks a text at spaces into lines of at most `WIDTH` columns; a word longer than that stays whole. Lines
 * after the first begin with `indent` spaces. What is within the first line's leading spaces is kept. Nothing of the text
 * reaches a terminal as it is.
 */
export function wrap(given: string, indent: number): string[] {
  const text = printable(given);
  const lead = /^ */.exec(text)![0];
  const lines: string[] = [];
  let line = lead;
  for (const word of text.slice(lead.length).split(' ')) {
    const empty = line.trim() === '';
    if (!empty && line.length + 1 + word.length > WIDTH) {
      lines.push(line.trimEnd());
      line = ' '.repeat(indent) + word;
    } else line += empty ? word : ` ${word}`;
  }
  return [...lines, line.trimEnd()];
}
