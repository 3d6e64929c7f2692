import { METRIC_NAME } from '../model/labels.ts';
import { compileRelabel } from './compile.ts';
import { type Dialect, type Rule, readRule } from './rule.ts';
import { referencesOf } from './victoriametrics-replace.ts';

/** A label that has the same value on every series once the rules have run. */
export interface SettledLabel {
  readonly label: string;
  /** Empty: no series has the label. */
  readonly value: string;
  /** Index of the rule that settles it, from 0; undefined: the engine, which removes labels that begin with __. */
  readonly rule: number | undefined;
}

interface Settled {
  readonly value: string;
  readonly rule: number;
}

/** Expressions that match any value. */
const ANYTHING = new Set([undefined, '.*', '(.*)']);
/** Actions that give `target_label` a value. */
const SETS_TARGET = new Set(['', 'replace', 'replace_all', 'hashmod', 'uppercase', 'lowercase']);
/** Actions that give labels names which cannot be known beforehand. */
const RENAMES = new Set(['labelmap', 'labelmap_all']);
const SAMPLE_VALUE = 'value';

/**
 * Those of `labels` that have the same value on every series after the rules, whatever comes in. Only certain cases are
 * reported: a rule with a condition settles nothing.
 *
 * @param rules as `compileRelabel` takes them; they have been checked
 */
export function settledLabels(
  labels: readonly string[],
  rules: readonly unknown[],
  dialect: Dialect,
): SettledLabel[] {
  const settled = new Map<string, Settled>();
  const parsed = rules.map((raw, index) => readRule(raw, index, dialect));
  const names = new Set(labels);
  for (const { sourceLabels = [], targetLabel } of parsed) {
    for (const name of [...sourceLabels, targetLabel]) if (name !== '') names.add(name);
  }
  for (const [at, rule] of parsed.entries()) settle(settled, names, rule, rules[at], dialect);
  return labels.flatMap((label): SettledLabel[] => {
    const known = settled.get(label);
    if (known !== undefined) return [{ label, ...known }];
    const isInternal = label.startsWith('__') && label !== METRIC_NAME;
    const isTakenOff = isInternal && dialect === 'victoriametrics' && rules.length > 0;
    return isTakenOff ? [{ label, value: '', rule: undefined }] : [];
  });
}

/** Updates `settled` for one more rule. */
function settle(
  settled: Map<string, Settled>,
  names: ReadonlySet<string>,
  rule: Rule,
  raw: unknown,
  dialect: Dialect,
): void {
  const { action, index, targetLabel, sourceLabels = [] } = rule;
  const isConditional = rule.if !== undefined && rule.if.length > 0;
  const run = (labels: ReadonlyMap<string, string>) => runAlone(raw, dialect, labels);
  if (action === 'labeldrop' || action === 'labelkeep') {
    for (const name of names) {
      if (isConditional || settled.get(name)?.value === '') continue;
      if (!run(new Map([[name, SAMPLE_VALUE]])).has(name)) settled.set(name, { value: '', rule: index });
    }
  } else if (RENAMES.has(action)) settled.clear();
  else if (action === 'graphite') for (const [name] of rule.labels) settled.delete(name);
  else if (SETS_TARGET.has(action)) {
    const references = dialect === 'victoriametrics' ? referencesOf(rule) : [];
    const sources = [...sourceLabels, ...references].map((name) => [name, settled.get(name)?.value] as const);
    const before = settled.get(targetLabel);
    settled.delete(targetLabel);
    if (isConditional) return;
    const known = sources.filter((source): source is [string, string] => source[1] !== undefined);
    if (known.length === sources.length) {
      // If the rule does not match, the target keeps its value. That may be unknown, so two are tried.
      const [first, second] = ['a', 'b'].map((value) => {
        const labels = new Map([[targetLabel, before?.value ?? value], ...known]);
        return run(labels).get(targetLabel) ?? '';
      });
      if (first === second) settled.set(targetLabel, { value: first!, rule: index });
    } else if (references.length === 0 && isConstant(rule))
      settled.set(targetLabel, { value: rule.replacement!, rule: index });
  }
}

/** Whether the rule gives its target the same value whatever its sources hold. */
function isConstant({ action, regex, replacement }: Rule): boolean {
  const replaces = action === '' || action === 'replace';
  return replaces && replacement !== undefined && !replacement.includes('$') && ANYTHING.has(regex);
}

/** The labels after one rule, which is not given those without a value. */
function runAlone(
  raw: unknown,
  dialect: Dialect,
  labels: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const given = [...labels].flatMap(([name, value]) => (value === '' ? [] : [{ name, value }]));
  // A label that no rule is about: engines drop a series without labels.
  const kept = { name: '__penstock_probe__', value: SAMPLE_VALUE };
  const [step] = compileRelabel([raw], dialect).explain([...given, kept]);
  return new Map(step?.after?.map(({ name, value }) => [name, value]) ?? []);
}
