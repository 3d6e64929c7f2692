import { type Document, isMap, isScalar, type Pair, type YAMLMap } from 'yaml';

/**
 * Sections by their old names, which the file and the environment may use until 1.0: `ingest` is now part of `worker`.
 */
const RENAMED: ReadonlyMap<string, string> = new Map([['ingest', 'worker']]);

/** What is to be said of a key under an old name; `position` is its index in the text. */
export interface OldName {
  readonly path: readonly string[];
  readonly position: number;
  readonly message: string;
}

/**
 * Moves the keys of renamed sections to where they are now. Their nodes, and so their lines, stay as written.
 *
 * @returns `warnings`: the sections that were moved; `problems`: keys that are given under both names
 */
export function renameSections(document: Document): { warnings: OldName[]; problems: OldName[] } {
  const warnings: OldName[] = [];
  const problems: OldName[] = [];
  const root = document.contents;
  if (!isMap(root)) return { warnings, problems };
  for (const [old, name] of RENAMED) {
    const before = sectionOf(root, old);
    if (before === undefined) continue;
    const position = startOf(before);
    warnings.push({ path: [old], position, message: nowCalled(name) });
    const now = sectionOf(root, name);
    if (now === undefined || isEmpty(now)) {
      if (now !== undefined) remove(root, now);
      if (isScalar(before.key)) before.key.value = name;
      continue;
    }
    remove(root, before);
    if (isEmpty(before)) continue;
    if (!isMap(now.value) || !isMap(before.value)) {
      const message = `cannot be merged into ${name}, which is given too; expected ${name} with all of the keys`;
      problems.push({ path: [old], position, message });
      continue;
    }
    for (const twice of mergeInto(now.value, before.value)) {
      const message = `${name}.${keyOf(twice)} is given too; expected one of the two`;
      problems.push({ path: [old, keyOf(twice)], position: startOf(twice), message });
    }
  }
  return { warnings, problems };
}

/** The environment variable that a variable with the old name of a section is now; undefined if it has none. */
export function renamedVariable(variable: string): string | undefined {
  for (const [old, name] of RENAMED) {
    const prefix = `PENSTOCK_${old.toUpperCase()}_`;
    if (variable.startsWith(prefix)) return `PENSTOCK_${name.toUpperCase()}_${variable.slice(prefix.length)}`;
  }
  return undefined;
}

export function nowCalled(name: string): string {
  return `is now called ${name}; the old name is accepted until 1.0`;
}

/** Moves the pairs of `from` to `to`. @returns those that `to` has already */
function mergeInto(to: YAMLMap, from: YAMLMap): Pair[] {
  const twice: Pair[] = [];
  for (const pair of from.items) (to.has(pair.key) ? twice : to.items).push(pair);
  return twice;
}

function isEmpty({ value }: Pair): boolean {
  return value === null || (isScalar(value) && value.value === null);
}

function remove(root: YAMLMap, pair: Pair): void {
  root.items.splice(root.items.indexOf(pair), 1);
}

function sectionOf(root: YAMLMap, name: string): Pair | undefined {
  return root.items.find((pair) => keyOf(pair) === name);
}

function keyOf({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : '';
}

function startOf({ key }: Pair): number {
  return isScalar(key) ? (key.range?.[0] ?? 0) : 0;
}
