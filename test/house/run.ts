/**
 * `npm run house -- [DIR]`: counts how the source is laid out, of this checkout or of another one in DIR.
 *
 *     npm run house                    this checkout
 *     npm run house -- ../old --list   another one, with the names behind some of the figures
 */
import path from 'node:path';
import { ROOT } from '../lab/cache.ts';
import { scriptArguments } from '../lab/script-arguments.ts';
import { countHouse, type House } from './count.ts';

const USAGE = `npm run house -- [DIR] [--list]

  DIR      a checkout of any age; default: this one
  --list   files with a single importer, names exported twice, headers outside core/record
`;

const { folder, list } = scriptArguments(
  USAGE,
  { allowPositionals: true, options: { list: { type: 'boolean' } } },
  ({ positionals, values }) => ({ folder: positionals[0] ?? ROOT, list: values.list === true }),
);

const house = countHouse(path.resolve(folder));
process.stdout.write(`${table(house)}\n`);
if (list) process.stdout.write(`${names(house)}\n`);

function table(counted: House): string {
  const { top, floors, arrows, rooms, singles, twice, headers, clocks, lines } = counted;
  const largest = rooms.toSorted((a, b) => b.files + b.folders - a.files - a.folders);
  const rows: [string, string | number][] = [
    ['files directly below src', top.files],
    ['folders directly below src', top.folders],
    ['floors (longest chain of imports between those)', floors],
    ['arrows (pairs of those that import each other)', arrows.pairs],
    ['imports between those', arrows.imports],
    ['folders in src', rooms.length],
    ['files in src', counted.files],
    ['files with a single importer', singles.length],
    ['  of those below 60 lines', singles.filter((one) => one.lines < 60).length],
    ['names exported by two files or more', twice.length],
    ['literal penstock- headers outside core/record', headers.length],
    ['Date.now in src', clocks],
    ...Object.entries(lines).map(([what, count]): [string, number] => [`lines of ${what}`, count]),
  ];
  const width = Math.max(...rows.map(([what]) => what.length));
  const entries = largest.map(({ name, files, folders }) => {
    const parts = [`${files} files`, ...(folders > 0 ? [`${folders} folders`] : [])];
    return `  src/${name.padEnd(width - 4)}${parts.join(', ')}`;
  });
  return [
    ...rows.map(([what, count]) => `${what.padEnd(width + 2)}${count}`),
    '',
    'directly below each folder:',
    ...entries,
  ].join('\n');
}

function names({ singles, twice, headers }: House): string {
  return [
    '',
    'files with a single importer, below 60 lines:',
    ...singles.filter((one) => one.lines < 60).map((one) => `  ${one.file} (${one.lines}) ◂ ${one.importer}`),
    'names exported by two files or more:',
    ...twice.map(({ name, files }) => `  ${name}: ${files.join(', ')}`),
    'literal penstock- headers outside core/record:',
    ...headers.map((where) => `  ${where}`),
  ].join('\n');
}
