import convict from 'convict';
import type { Leaf, LeafKind } from './leaves.ts';

/** Converts texts of the environment to values. Text that does not fit is kept, for the schema to refuse. */
const FROM_TEXT: Readonly<Record<Exclude<LeafKind, 'text'>, (text: string) => unknown>> = {
  number: numberOrText,
  quantity: numberOrText,
  boolean: (text) => (text === 'true' ? true : text === 'false' ? false : text),
  list: (text) => (text.trim() === '' ? [] : text.split(',').map((item) => item.trim())),
};

function numberOrText(text: string): unknown {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

for (const [kind, coerce] of Object.entries(FROM_TEXT)) {
  // Formats only convert here: the schema validates, so that every message can name its line.
  convict.addFormat({ name: `penstock-${kind}`, validate: () => {}, coerce });
}

/** The process settings as convict layers them: defaults, then the file, then the environment. */
export function layer(
  leaves: readonly Leaf[],
  file: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const settings = convict(convictSchema(leaves), { env: { ...env }, args: [] });
  settings.load(file);
  const layered = settings.getProperties() as Record<string, unknown>;
  for (const { path } of leaves) dropIfUndefined(layered, path);
  return layered;
}

/** convict gives a key without a default the value undefined; here such a key is absent. */
function dropIfUndefined(root: Record<string, unknown>, path: readonly string[]): void {
  let level = root;
  for (const key of path.slice(0, -1)) level = level[key] as Record<string, unknown>;
  const last = path.at(-1)!;
  if (level[last] === undefined) delete level[last];
}

function convictSchema(leaves: readonly Leaf[]): convict.Schema<Record<string, unknown>> {
  const root: Record<string, unknown> = {};
  for (const leaf of leaves) {
    let level = root;
    for (const key of leaf.path.slice(0, -1)) level = (level[key] ??= {}) as Record<string, unknown>;
    level[leaf.path.at(-1)!] = {
      doc: leaf.description,
      format: leaf.kind === 'text' ? '*' : `penstock-${leaf.kind}`,
      default: leaf.default,
      env: leaf.env,
      sensitive: leaf.secret,
    };
  }
  return root as convict.Schema<Record<string, unknown>>;
}
