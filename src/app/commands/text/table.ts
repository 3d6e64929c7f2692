import { printable } from '../../../core/model/printable.ts';

const GAP = 2;
/** Columns are not shrunk below this width. */
const LEAST_COLUMN = 8;

/**
 * A table with aligned columns; the first row is the header. Cells are escaped for the terminal. If the table is wider
 * than `width`, its widest columns are wrapped at spaces or after commas. The default is the terminal's width; rows are
 * not wrapped without a terminal.
 */
export function formatTable(
  given: readonly (readonly string[])[],
  width = process.stdout.columns ?? Number.POSITIVE_INFINITY,
): string {
  const rows = given.map((row) => row.map(printable));
  const columns = rows[0]?.length ?? 0;
  const natural = Array.from({ length: columns }, (_, at) =>
    Math.max(...rows.map((row) => row[at]?.length ?? 0)),
  );
  const least = Array.from({ length: columns }, (_, at) =>
    Math.max(...rows.map((row) => longestPiece(row[at] ?? ''))),
  );
  const widths = fit(natural, least, width);
  const cells = rows.map((row) => widths.map((each, at) => broken(row[at] ?? '', each)));
  const used = widths.map((_, at) =>
    Math.max(...cells.map((row) => Math.max(...row[at]!.map((line) => line.length)))),
  );
  return cells.flatMap((row) => lines(row, used)).join('\n');
}

/** Shrinks the widest columns until the table fits, or none can shrink further. */
function fit(natural: readonly number[], least: readonly number[], width: number): number[] {
  const widths = [...natural];
  const floor = natural.map((each, at) => Math.min(each, Math.max(least[at]!, LEAST_COLUMN)));
  const total = () => widths.reduce((sum, each) => sum + each, GAP * (widths.length - 1));
  while (total() > width) {
    const widest = widths.reduce(
      (best, each, at) => (each > floor[at]! && each > (widths[best] ?? 0) ? at : best),
      -1,
    );
    if (widest < 0) break;
    widths[widest]! -= 1;
  }
  return widths;
}

function lines(cells: readonly (readonly string[])[], widths: readonly number[]): string[] {
  const height = Math.max(...cells.map((cell) => cell.length));
  return Array.from({ length: height }, (_, line) =>
    cells
      .map((cell, at) => (cell[line] ?? '').padEnd(widths[at] ?? 0))
      .join(' '.repeat(GAP))
      .trimEnd(),
  );
}

/** Wraps a cell to `width`, with the indent of its first line; a longer piece stays whole. */
function broken(cell: string, width: number): string[] {
  if (cell.length <= width) return [cell];
  const found: string[] = [];
  const lead = /^ */.exec(cell)![0];
  let line = '';
  for (const piece of pieces(cell)) {
    if (line.trim() !== '' && (line + piece).trimEnd().length > width) {
      found.push(line.trimEnd());
      line = lead;
    }
    line += piece;
  }
  return [...found, line.trimEnd()];
}

/** Splits after each space or comma. Leading spaces belong to the first piece. */
function pieces(cell: string): string[] {
  return cell.match(/^\s+[^\s,]*[\s,]?|[^\s,]*[\s,]|[^\s,]+/g) ?? [cell];
}

function longestPiece(cell: string): number {
  return Math.max(0, ...pieces(cell).map((piece) => piece.trimEnd().length));
}
