import type { Label, Labels } from '../model/labels.ts';
import type { Action, Engine } from './action.ts';
import type { Rule } from './rule.ts';

/** One rule, or the engine's final step, applied to one series. */
export interface RelabelStep {
  /** Short text of the rule. */
  readonly rule: string;
  /** Index of the rule, from 0; that of the final step is the number of rules. */
  readonly index: number;
  readonly before: Label[];
  /** Undefined: the series was dropped here, or has no label left. */
  readonly after: Label[] | undefined;
  readonly changed: boolean;
}

/** Applies the rules one by one and records the effect of each. */
export function explainRules(
  compiled: readonly { readonly rule: Rule; readonly action: Action }[],
  engine: Engine,
  labels: Labels,
): RelabelStep[] {
  const steps: RelabelStep[] = [];
  if (compiled.length === 0 && engine.stopsWhenEmpty) return steps;
  const work = engine.start(labels);
  for (const { rule, action } of compiled) {
    const before = copyOf(work);
    const kept = action(work) && !(engine.stopsWhenEmpty && work.length === 0);
    const after = kept ? copyOf(work) : undefined;
    steps.push({ rule: ruleText(rule), index: rule.index, before, after, changed: !isSame(before, after) });
    if (!kept) return steps;
  }
  const before = copyOf(work);
  const finished = engine.finish(work);
  const after = finished.length === 0 ? undefined : finished;
  if (!isSameSet(before, finished) || after === undefined) {
    steps.push({ rule: engine.finishText, index: compiled.length, before, after, changed: true });
  }
  return steps;
}

/** A rule on one line: `replace source_labels=[job] regex="(.*)" target_label="app"`. */
export function ruleText(rule: Rule): string {
  const parts = [rule.action || 'replace'];
  if (rule.if) parts.push(`if=${JSON.stringify(rule.if.length === 1 ? rule.if[0] : rule.if)}`);
  if (rule.sourceLabels) parts.push(`source_labels=[${rule.sourceLabels.join(', ')}]`);
  if (rule.separator !== undefined) parts.push(`separator=${JSON.stringify(rule.separator)}`);
  if (rule.regex !== undefined) parts.push(`regex=${JSON.stringify(rule.regex)}`);
  if (rule.modulus !== 0n) parts.push(`modulus=${rule.modulus}`);
  if (rule.match !== '') parts.push(`match=${JSON.stringify(rule.match)}`);
  if (rule.labels.length > 0) parts.push(`labels=${JSON.stringify(Object.fromEntries(rule.labels))}`);
  if (rule.targetLabel !== '') parts.push(`target_label=${JSON.stringify(rule.targetLabel)}`);
  if (rule.replacement !== undefined) parts.push(`replacement=${JSON.stringify(rule.replacement)}`);
  return parts.join(' ');
}

function copyOf(labels: Labels): Label[] {
  return labels.map(({ name, value }) => ({ name, value }));
}

function isSame(before: Labels, after: Labels | undefined): boolean {
  if (!after || before.length !== after.length) return false;
  return before.every(
    ({ name, value }, index) => after[index]!.name === name && after[index]!.value === value,
  );
}

/** Compares by name, whatever the order: it has no meaning, and the final step only removes and sorts labels. */
function isSameSet(before: Labels, after: Labels): boolean {
  return (
    before.length === after.length && before.every(({ name }) => after.some((label) => label.name === name))
  );
}
