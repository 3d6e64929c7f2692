import { printable } from '../../../core/model/printable.ts';

const GAP = 2;
/** No column becomes narrower than this, if it is not by itself. */
const LEAST_COLUMN = 8;

/**
 * Lines of a table with aligned columns; the first row is the header. No cell reaches a terminal as it is. Where the table
 * is wider than `width` its widest cells are broken, at spaces or behind commas; by default that is the terminal's, and
 * without a terminal a row is a line, however long.
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

/** Takes from the widest columns, as long as that helps. */
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

/** A cell in lines of at most `width`, all as far from the left as the first; a piece that is longer stays whole. */
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

/** Up to and with each space or comma. Leading spaces belong to the first. */
function pieces(cell: string): string[] {
  return cell.match(/^\s+[^\s,]*[\s,]?|[^\s,]*[\s,]|[^\s,]+/g) ?? [cell];
}

function longestPiece(cell: string): number {
  return Math.max(0, ...pieces(cell).map((piece) => piece.trimEnd().length));
}
