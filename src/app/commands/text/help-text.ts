import { textWidth, wrap } from './wrap.ts';

/** An option or action: two spaces or more before its name, and two or more between name and text. */
const ITEM = /^( +\S.*?\S? {2,})(\S.*)$/;
/** Share of the width at which an item's text may begin; further right, it goes on lines of its own. */
const MOST_INDENT = 0.45;
/** Least extra indent, in columns, of text below a name that leaves no room beside it. */
const LEAST_HANG = 8;

/**
 * Wraps a help text to `width` columns. The text is laid out for a wide terminal: paragraphs start at the left margin,
 * options are indented, and continuation lines of an option's text align with it. Other indented lines, such as
 * examples, are kept as they are.
 */
export function formatHelp(text: string, width = textWidth()): string {
  return blocks(text.trim().split('\n'))
    .flatMap((block) => formatBlock(block, width))
    .join('\n');
}

/** Groups lines: a paragraph, an item with its continuation lines, or a single line. */
function blocks(lines: readonly string[]): string[][] {
  const found: string[][] = [];
  for (const [at, line] of lines.entries()) {
    const open = found.at(-1);
    // The first line is the usage.
    if (open !== undefined && at > 1 && goesOn(open, line)) open.push(line);
    else found.push([line]);
  }
  return found;
}

function goesOn([first = '', second]: readonly string[], line: string): boolean {
  if (first === '' || line === '') return false;
  if (!first.startsWith(' ')) return !line.startsWith(' ') && !isUsage(line, first);
  const text = ITEM.exec(first)?.[1]?.length ?? (second === undefined ? undefined : indentOf(second));
  if (text !== undefined) return indentOf(line) === text;
  return indentOf(line) >= indentOf(first) + LEAST_HANG;
}

/** Whether a usage line follows a usage line. In a paragraph the command's name may begin a line too. */
function isUsage(line: string, first: string): boolean {
  return line.startsWith('penstock ') && first.startsWith('penstock ');
}

function formatBlock(block: readonly string[], width: number): string[] {
  const [first = '', ...more] = block;
  if (!first.startsWith(' ')) return wrap(block.join(' '), first.startsWith('penstock ') ? 4 : 0, width);
  const item = ITEM.exec(first);
  if (item === null && more.length === 0) return [first];
  const [, name = first, begin = ''] = item ?? [];
  const text = [begin, ...more.map((line) => line.trim())].join(' ').trim();
  const hang = item === null ? indentOf(more[0]!) : name.length;
  const indent = hang > width * MOST_INDENT ? indentOf(first) + 4 : hang;
  const lines = wrap(`${' '.repeat(indent)}${text}`, indent, width);
  if (item === null || indent !== hang) return [name.trimEnd(), ...lines];
  return [name + lines[0]!.slice(name.length), ...lines.slice(1)];
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}
