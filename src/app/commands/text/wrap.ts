import { printable } from '../../../core/model/printable.ts';

/** Columns of text for people where there is no terminal to go by. */
export const WIDTH = 100;
/** In a terminal that is narrower, or says that it is, nothing can be read anyway. */
const LEAST_WIDTH = 40;

/** Columns that text for people keeps within: those of the terminal. */
export function textWidth(): number {
  return Math.max(LEAST_WIDTH, process.stdout.columns ?? WIDTH);
}

/**
 * Breaks a text at spaces into lines of at most `width` columns; a word longer than that stays whole. Lines
 * after the first begin with `indent` spaces. What is within the first line's leading spaces is kept. Nothing of the text
 * reaches a terminal as it is.
 */
export function wrap(given: string, indent: number, width = textWidth()): string[] {
  const text = printable(given);
  const lead = /^ */.exec(text)![0];
  const lines: string[] = [];
  let line = lead;
  for (const word of text.slice(lead.length).split(' ')) {
    const empty = line.trim() === '';
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line.trimEnd());
      line = ' '.repeat(indent) + word;
    } else line += empty ? word : ` ${word}`;
  }
  return [...lines, line.trimEnd()];
}
