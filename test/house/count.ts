/** Counts the layout of a checkout. It reads files as text, so that it works on any version of the source. */
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Import, readImports } from '../support/imports.ts';

export interface House {
  /** Files and folders directly below src. */
  readonly top: Room;
  /** Entries of src on the longest chain of imports. */
  readonly floors: number;
  /** Between entries of src: distinct pairs, and import statements. */
  readonly arrows: { readonly pairs: number; readonly imports: number };
  readonly rooms: readonly Room[];
  readonly files: number;
  readonly singles: readonly { readonly file: string; readonly lines: number; readonly importer: string }[];
  readonly twice: readonly { readonly name: string; readonly files: readonly string[] }[];
  /** `file:line` of each literal. */
  readonly headers: readonly string[];
  readonly clocks: number;
  readonly lines: Readonly<Record<string, number>>;
}

interface Room {
  readonly name: string;
  readonly files: number;
  readonly folders: number;
}

const EXPORTED =
  /^export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:function\*?|class|interface|type|const|let)\s+([A-Za-z_$][\w$]*)/gm;
const HEADER = /['"`]penstock-[a-z]/;

/** @param root the checkout */
export function countHouse(root: string): House {
  const src = path.join(root, 'src');
  const sources = new Map(
    globSync('**/*.ts', { cwd: src }).map((file) => [
      file.replaceAll(path.sep, '/'),
      readFileSync(path.join(src, file), 'utf8'),
    ]),
  );
  const local = readImports(src).filter((one) => one.local && sources.has(one.to));
  const between = local.filter(({ from, to }) => entryOf(from) !== entryOf(to));
  const pairs = new Set(between.map(({ from, to }) => `${entryOf(from)} ${entryOf(to)}`));
  const codes = [...sources].map(([file, text]) => ({ file, code: withoutComments(text) }));
  return {
    top: roomAt(src, ''),
    floors: longestChain(between),
    arrows: { pairs: pairs.size, imports: between.length },
    rooms: foldersBelow(src).map((name) => roomAt(src, name)),
    files: sources.size,
    singles: singleImporters(local).map((one) => ({ ...one, lines: lineCount(sources.get(one.file)!) })),
    twice: exportedTwice(sources),
    headers: codes.filter(({ file }) => !file.startsWith('core/record/')).flatMap(headersIn),
    clocks: codes.reduce((sum, { code }) => sum + (code.match(/\bDate\.now\b/g)?.length ?? 0), 0),
    lines: {
      src: linesOf(root, 'src/**/*.ts'),
      test: linesOf(root, 'test/**/*.ts'),
      bench: linesOf(root, 'bench/**/*.ts'),
      'docs (*.md)': linesOf(root, '{*.md,docs/**/*.md,bench/*.md}'),
    },
  };
}

/** What lies directly below src: a folder, or a file. */
function entryOf(file: string): string {
  return file.split('/', 1)[0]!;
}

function foldersBelow(src: string): string[] {
  return globSync('**/', { cwd: src })
    .map((name) => name.replaceAll(path.sep, '/').replace(/\/$/, ''))
    .filter((name) => name !== '' && name !== '.')
    .sort();
}

function roomAt(src: string, name: string): Room {
  const entries = readdirSync(path.join(src, name), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).length;
  return { name, files: entries.length - folders, folders };
}

/** How many entries of src the longest chain of imports has. Entries that import each other both count once. */
function longestChain(imports: readonly Import[]): number {
  const below = Map.groupBy(imports, ({ from }) => entryOf(from));
  const depth = (entry: string, above: readonly string[]): number => {
    const targets = [...new Set((below.get(entry) ?? []).map(({ to }) => entryOf(to)))];
    const depths = targets.filter((to) => !above.includes(to)).map((to) => depth(to, [...above, to]));
    return 1 + Math.max(0, ...depths);
  };
  return Math.max(1, ...[...below.keys()].map((entry) => depth(entry, [entry])));
}

function singleImporters(imports: readonly Import[]): { file: string; importer: string }[] {
  const importers = Map.groupBy(imports, ({ to }) => to);
  return [...importers].flatMap(([file, all]) => {
    const from = new Set(all.map((one) => one.from));
    return from.size === 1 ? [{ file, importer: [...from][0]! }] : [];
  });
}

function exportedTwice(sources: ReadonlyMap<string, string>): { name: string; files: string[] }[] {
  const exported = [...sources].flatMap(([file, text]) =>
    // Overloads of a function are one name.
    [...new Set([...text.matchAll(EXPORTED)].map(([, name]) => name!))].map((name) => ({ name, file })),
  );
  return [...Map.groupBy(exported, ({ name }) => name)]
    .filter(([, all]) => all.length > 1)
    .map(([name, all]) => ({ name, files: all.map(({ file }) => file) }))
    .sort((a, b) => a.name.localeCompare(b.name));
}

function headersIn({ file, code }: { readonly file: string; readonly code: string }): string[] {
  return code.split('\n').flatMap((line, index) => (HEADER.test(line) ? [`${file}:${index + 1}`] : []));
}

/** Comments become blank; lines keep their numbers. */
function withoutComments(source: string): string {
  return source
    .replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ''))
    .replaceAll(/(^|\s)\/\/.*$/gm, '');
}

function linesOf(root: string, pattern: string): number {
  const files = globSync(pattern, { cwd: root }).filter((file) => existsSync(path.join(root, file)));
  return files.reduce((sum, file) => sum + lineCount(readFileSync(path.join(root, file), 'utf8')), 0);
}

function lineCount(text: string): number {
  return text.split('\n').length - 1;
}
