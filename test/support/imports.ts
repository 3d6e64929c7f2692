/** Imports between the files of a folder, read from the import statements. */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface Import {
  /** Importing file, relative to the folder, with forward slashes. */
  from: string;
  /** Imported file, relative to the folder, or the name of a package or of a part of Node. */
  to: string;
  /** Whether `to` is a file. */
  local: boolean;
}

/** `import … from '…'`, `export … from '…'` and `import '…'` at the start of a line; `import('…')` in code. */
const STATEMENT =
  /^(?:import|export)\s+(?:(?:type\s+)?(?:[\w$]+\s*,?\s*)?(?:\*(?:\s+as\s+[\w$]+)?|\{[^}]*\})?\s*from\s*)?['"]([^'"]+)['"]/gm;
const CALL = /^(?!\s*(?:\/\/|\*|\/\*)).*?\bimport\(\s*['"]([^'"]+)['"]/gm;

/** Import specifiers of a source text, as written. */
export function importsOf(source: string): string[] {
  return [STATEMENT, CALL].flatMap((pattern) => [...source.matchAll(pattern)].map((match) => match[1]!));
}

/** All imports of the `.ts` files in a folder, type-only ones too. */
export function readImports(folder: string): Import[] {
  return globSync('**/*.ts', { cwd: folder }).flatMap((file) => {
    const from = file.replaceAll(path.sep, '/');
    return importsOf(readFileSync(path.join(folder, file), 'utf8')).map((name) => {
      const local = name.startsWith('.');
      return { from, to: local ? path.posix.join(path.posix.dirname(from), name) : name, local };
    });
  });
}

/** A cycle of files that import each other, first file repeated at the end, or undefined. */
export function findCycle(imports: Import[]): string[] | undefined {
  const targets = Map.groupBy(
    imports.filter((one) => one.local),
    (one) => one.from,
  );
  const done = new Set<string>();
  const visit = (file: string, trail: string[]): string[] | undefined => {
    const seen = trail.indexOf(file);
    if (seen >= 0) return [...trail.slice(seen), file];
    if (done.has(file)) return undefined;
    for (const { to } of targets.get(file) ?? []) {
      const cycle = visit(to, [...trail, file]);
      if (cycle !== undefined) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of targets.keys()) {
    const cycle = visit(file, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
