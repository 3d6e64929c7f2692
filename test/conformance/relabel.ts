import { isDeepStrictEqual } from 'node:util';
import { type Label, labelsFrom } from '../../src/core/model/labels.ts';
import { compileRelabel, type Dialect, type Relabeler } from '../../src/core/relabel/compile.ts';
import { parseRules } from '../../src/core/relabel/parse.ts';

type Pairs = readonly (readonly [name: string, value: string])[];

/** What an engine did, as README.md in the folder of the vectors describes it. */
interface Expected {
  readonly error?: string;
  readonly keep?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly label_list?: Pairs;
  readonly labels_before_finalize?: Readonly<Record<string, string>>;
  readonly label_list_before_finalize?: Pairs;
}

interface RelabelCase {
  readonly config: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Null: the rules use what only VictoriaMetrics has. */
  readonly prometheus: Expected | null;
  readonly victoriametrics: Expected;
}

/** Runs one case of a file with format "relabel": the first difference in words, or undefined. */
export function runRelabelCase(testCase: unknown): string | undefined {
  const relabelCase = testCase as RelabelCase;
  return runDialect(relabelCase, 'victoriametrics') ?? runDialect(relabelCase, 'prometheus');
}

function runDialect(relabelCase: RelabelCase, dialect: Dialect): string | undefined {
  const expected = relabelCase[dialect] ?? { error: 'this dialect does not have it' };
  const relabeler = compile(relabelCase.config, dialect);
  if (relabeler instanceof Error) {
    return expected.error === undefined ? `${dialect}: refused: ${relabeler.message}` : undefined;
  }
  if (expected.error !== undefined) return `${dialect}: accepted, expected the error ${expected.error}`;

  const input = labelsFrom(relabelCase.labels);
  const difference =
    compare('labels', relabeler.apply(input) ?? [], expected.label_list ?? expected.labels ?? {}) ??
    compareDropped(relabeler, input, expected, dialect) ??
    compareBeforeFinalize(relabeler, input, expected);
  return difference && `${dialect}: ${difference}`;
}

function compile(config: string, dialect: Dialect): Relabeler | Error {
  try {
    return compileRelabel(parseRules(config).rules, dialect);
  } catch (error) {
    return error as Error;
  }
}

/** In Prometheus `keep` says that no rule dropped the series, even if nothing is left of it. */
function compareDropped(
  relabeler: Relabeler,
  input: readonly Label[],
  expected: Expected,
  dialect: Dialect,
): string | undefined {
  const ruleCount = relabeler.explain(input).at(-1);
  const dropped = relabeler.apply(input) === undefined;
  if (dialect === 'victoriametrics') return dropped === !expected.keep ? undefined : `dropped is ${dropped}`;
  const droppedByRule = ruleCount !== undefined && ruleCount.after === undefined && ruleCount.changed;
  return expected.keep && droppedByRule && ruleCount.before.length > 0 ? 'dropped by a rule' : undefined;
}

/** The labels after the last rule, without empty ones: what explain shows before its final step. */
function compareBeforeFinalize(
  relabeler: Relabeler,
  input: readonly Label[],
  expected: Expected,
): string | undefined {
  const wanted = expected.label_list_before_finalize ?? expected.labels_before_finalize;
  const last = relabeler.explain(input).at(-1);
  if (wanted === undefined || last === undefined) return undefined;
  const present = last.before.filter(({ name, value }) => name !== '' && value !== '');
  return compare('labels before the final step', present, wanted);
}

function compare(
  what: string,
  actual: readonly Label[],
  expected: Pairs | Readonly<Record<string, string>>,
): string | undefined {
  const got = sorted(actual.map(({ name, value }) => [name, value] as const));
  const wanted = sorted(Array.isArray(expected) ? (expected as Pairs) : Object.entries(expected));
  if (isDeepStrictEqual(got, wanted)) return undefined;
  return `${what}: got ${JSON.stringify(got)}, expected ${JSON.stringify(wanted)}`;
}

function sorted(pairs: Pairs): Pairs {
  return pairs
    .map(([name, value]) => [name, value] as const)
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}
