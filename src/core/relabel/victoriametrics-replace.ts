import { type Labels, labelValue } from '../model/labels.ts';
import { type Action, joinValues, setLabel } from './action.ts';
import type { VictoriaMetricsPattern } from './regex/regex.ts';
import { compileTemplate } from './regex/template.ts';
import type { Rule } from './rule.ts';

/**
 * VictoriaMetrics' `replace`. Its `{{label}}` references are filled before the template is read, so that a
 * label's value can bring in a `$1`.
 */
export function compileReplace(rule: Rule, pattern: VictoriaMetricsPattern): Action {
  const { sourceLabels = [], separator = ';', targetLabel, replacement = '$1' } = rule;
  const targetHasGroups = targetLabel.includes('$');
  if (pattern.matchesEverything && !targetHasGroups) return replaceWhatever(rule);

  const hasReferences = replacement.includes('{{');
  const template = compileTemplate(replacement, pattern.groupNames);
  const target = compileTemplate(targetLabel, pattern.groupNames);
  const constant =
    hasReferences || targetHasGroups || !pattern.capturesWhatItTests ? undefined : template.constant;
  return (labels) => {
    const source = joinValues(labels, sourceLabels, separator);
    if (!pattern.test(source)) return true;
    if (constant !== undefined && !source.includes('\n')) {
      setLabel(labels, targetLabel, constant);
      return true;
    }
    const filled = hasReferences ? fillReferences(replacement, labels) : replacement;
    const captures = pattern.captures(source);
    let value: string;
    if (filled !== replacement) value = compileTemplate(filled, pattern.groupNames).expand(captures);
    // The captures may fail although the test passed, see core/relabel/regex/regex.ts: the source is then copied.
    else value = captures ? template.expand(captures) : source;
    setLabel(labels, targetHasGroups ? target.expand(captures) : targetLabel, value);
    return true;
  };
}

/** `replace` without a regex that could fail and without groups in the target. */
function replaceWhatever(rule: Rule): Action {
  const { sourceLabels = [], separator = ';', targetLabel, replacement = '$1' } = rule;
  const hasReferences = replacement.includes('{{');
  if (!hasReferences && !replacement.includes('$')) {
    return (labels) => {
      setLabel(labels, targetLabel, replacement);
      return true;
    };
  }
  const groupNames = ['', ''];
  const template = compileTemplate(replacement, groupNames);
  const isPlain = !replacement.includes('$');
  return (labels) => {
    const filled = hasReferences ? fillReferences(replacement, labels) : replacement;
    const source = joinValues(labels, sourceLabels, separator);
    const captures = source.includes('\n') ? undefined : [source, source];
    let value: string;
    if (filled === '$1') value = source;
    else if (isPlain) value = filled;
    else if (filled !== replacement) value = compileTemplate(filled, groupNames).expand(captures);
    else value = captures ? template.expand(captures) : source;
    setLabel(labels, targetLabel, value);
    return true;
  };
}

/** An unclosed one is none, and stays as it is. */
const REFERENCE = /\{\{(.*?)\}\}/gs;

/** Replaces every `{{name}}` by the value of that label. */
function fillReferences(text: string, labels: Labels): string {
  return text.replace(REFERENCE, (_, name: string) => labelValue(labels, name));
}

/** Labels that the replacement of a rule refers to as `{{name}}`. */
export function referencesOf({ action, replacement = '' }: Rule): string[] {
  const replaces = action === '' || action === 'replace';
  return replaces ? [...replacement.matchAll(REFERENCE)].map(([, name]) => name!) : [];
}
