import { errorMessage } from '../../core/model/errors.ts';
import { expectedName } from '../../core/model/nearest.ts';
import type { Leaf } from './leaves.ts';
import { nowCalled, renamedVariable } from './old-names.ts';
import type { Problem } from './problem.ts';
import type { ReadFile } from './source.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** `PENSTOCK_` variables that set no key: those of the tests, and the path of the configuration. */
const OTHER_NAMES = /^PENSTOCK_(TEST_.*|CONFIG)$/;

/** Variables that Kubernetes sets in every pod beside a Service whose name begins with penstock. */
const SERVICE_LINK =
  /^PENSTOCK_(?:.*_)?(SERVICE_(HOST|PORT)(_.*)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

/** Values that the environment gives to keys. */
export interface EnvironmentValues {
  /** Text by the key's variable. The content of a `…_FILE` is under the name without `_FILE`. */
  readonly values: Readonly<Record<string, string>>;
  /** The variable as the user set it, by the key's path joined with dots. */
  readonly origins: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
  /** Warnings of variables under an old name. */
  readonly warnings: readonly Problem[];
}

/**
 * Picks the variables that set keys. A secret may come from the file that `<NAME>_FILE` names; its
 * last newline is cut. A `PENSTOCK_` variable that sets nothing is a problem: most likely a typing error.
 */
export function readEnvironment(
  leaves: readonly Leaf[],
  env: Environment,
  readFile: ReadFile,
): EnvironmentValues {
  const values: Record<string, string> = {};
  const origins = new Map<string, string>();
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const refuse = (variable: string, message: string) =>
    problems.push({ file: variable, line: 0, path: '', message });

  const keys = new Map<string, { leaf: Leaf; fromFile: boolean }>();
  for (const leaf of leaves) {
    keys.set(leaf.env, { leaf, fromFile: false });
    if (leaf.secret) keys.set(`${leaf.env}_FILE`, { leaf, fromFile: true });
  }

  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith('PENSTOCK_') || text === undefined) continue;
    const renamed = renamedVariable(variable);
    const key = keys.get(renamed ?? variable);
    if (key === undefined) {
      if (OTHER_NAMES.test(variable) || SERVICE_LINK.test(variable)) continue;
      refuse(variable, `sets no key; ${nearestVariable(variable, [...keys.keys()])}`);
      continue;
    }
    const { leaf, fromFile } = key;
    const other = [leaf.env, renamed].find(
      (name) => name !== variable && name !== undefined && env[name] !== undefined,
    );
    if ((fromFile || renamed !== undefined) && other !== undefined) {
      refuse(variable, `${other} is set too; expected one of the two`);
      continue;
    }
    if (renamed !== undefined)
      warnings.push({ file: variable, line: 0, path: '', message: nowCalled(renamed) });
    try {
      values[leaf.env] = fromFile ? readFile(text).replace(/\r?\n$/, '') : text;
      origins.set(leaf.path.join('.'), variable);
    } catch (error) {
      refuse(
        variable,
        `the file cannot be read: ${errorMessage(error)}; expected the path of a file with the secret`,
      );
    }
  }
  return { values, origins, problems, warnings };
}

function nearestVariable(variable: string, known: readonly string[]): string {
  const expected = expectedName(variable, known);
  return expected.endsWith('?')
    ? expected
    : 'expected PENSTOCK_ and the path of a key, such as PENSTOCK_KAFKA_BROKERS';
}
