import { printable } from '../../../core/model/printable.ts';

/** Width of text for people without a terminal, in columns. */
export const WIDTH = 100;
/** Least width: nothing is readable in a terminal narrower than this. */
const LEAST_WIDTH = 40;

/** Width of text for people: that of the terminal. */
export function textWidth(): number {
  return Math.max(LEAST_WIDTH, process.stdout.columns ?? WIDTH);
}

/**
 * Breaks a text at spaces into lines of at most `width` columns; a longer word stays whole. The first line keeps its
 * leading spaces, the others begin with `indent` spaces. The text is escaped for the terminal.
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
