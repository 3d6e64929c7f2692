import { didYouMean } from '../model/nearest.ts';
import { type Dialect, type Rule, RuleError } from './rule.ts';

const COMMON_ACTIONS: readonly string[] = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
];
const VICTORIAMETRICS_ACTIONS: readonly string[] = [
  ...COMMON_ACTIONS,
  'replace_all',
  'labelmap_all',
  'keep_if_equal',
  'drop_if_equal',
  'keep_if_contains',
  'drop_if_contains',
  'keep_metrics',
  'drop_metrics',
  'graphite',
];

/** Refuses what the dialect's engine refuses: unknown actions, and keys that cannot be combined. */
export function checkRule(rule: Rule, dialect: Dialect): void {
  checkAction(rule, dialect);
  if (dialect === 'prometheus') checkPrometheus(rule);
  else checkVictoriaMetrics(rule);
}

function checkAction(rule: Rule, dialect: Dialect): void {
  const known = dialect === 'prometheus' ? COMMON_ACTIONS : VICTORIAMETRICS_ACTIONS;
  if (known.includes(rule.action)) return;
  if (rule.action === '' && dialect === 'victoriametrics') return;
  if (rule.action === '') {
    throw new RuleError(
      rule.index,
      'action',
      'the action is empty: name one, or leave the key out for "replace"',
    );
  }
  const hint = VICTORIAMETRICS_ACTIONS.includes(rule.action)
    ? '; it is known in the dialect "victoriametrics" only'
    : didYouMean(rule.action, known) || `; known are ${known.join(', ')}`;
  throw new RuleError(rule.index, 'action', `unknown action "${rule.actionAsWritten}"${hint}`);
}

/** Actions that write to `target_label`. */
const PROMETHEUS_NEEDS_TARGET = ['replace', 'hashmod', 'lowercase', 'uppercase', 'keepequal', 'dropequal'];
/** Actions that take no `replacement`. */
const PROMETHEUS_FIXED_VALUE = ['lowercase', 'uppercase', 'keepequal', 'dropequal'];

/** Source: Prometheus 3, model/relabel, `Config.Validate`, with the UTF-8 name scheme. */
function checkPrometheus(rule: Rule): void {
  const { action, replacement = '$1', separator = ';' } = rule;
  if (action === 'hashmod') requireModulus(rule);
  if (PROMETHEUS_NEEDS_TARGET.includes(action)) requireTarget(rule);
  if (rule.sourceLabels?.includes('')) {
    throw new RuleError(rule.index, 'source_labels', 'a label name in "source_labels" is empty');
  }
  if (PROMETHEUS_FIXED_VALUE.includes(action) && replacement !== '$1') refuse(rule, 'replacement');
  if (action === 'labelmap' && replacement === '') {
    throw new RuleError(
      rule.index,
      'replacement',
      '"replacement" is empty: labelmap needs a name for the label',
    );
  }
  if (action === 'keepequal' || action === 'dropequal') {
    if (rule.regex !== undefined) refuse(rule, 'regex');
    if (rule.modulus !== 0n) refuse(rule, 'modulus');
    if (separator !== ';') refuse(rule, 'separator');
  }
  if (action === 'labeldrop' || action === 'labelkeep') {
    if (rule.sourceLabels !== undefined) refuse(rule, 'source_labels');
    if (rule.targetLabel !== '') refuse(rule, 'target_label');
    if (rule.modulus !== 0n) refuse(rule, 'modulus');
    if (separator !== ';') refuse(rule, 'separator');
    if (replacement !== '$1') refuse(rule, 'replacement');
  }
}

/** Source: VictoriaMetrics 1.150, lib/promrelabel, parsing of a rule. */
function checkVictoriaMetrics(rule: Rule): void {
  switch (rule.action) {
    case '':
    case 'replace':
      requireTarget(rule);
      break;
    case 'replace_all':
    case 'uppercase':
    case 'lowercase':
      requireSource(rule, 1);
      requireTarget(rule);
      break;
    case 'hashmod':
      requireSource(rule, 1);
      requireTarget(rule);
      requireModulus(rule);
      break;
    case 'keep':
    case 'drop':
      if (rule.if === undefined) requireSource(rule, 1);
      break;
    case 'keepequal':
    case 'dropequal':
      requireTarget(rule);
      if (rule.regex !== undefined) refuse(rule, 'regex');
      break;
    case 'keep_if_contains':
    case 'drop_if_contains':
      requireTarget(rule);
      requireSource(rule, 1);
      if (rule.regex !== undefined) refuse(rule, 'regex');
      break;
    case 'keep_if_equal':
    case 'drop_if_equal':
      requireSource(rule, 2);
      if (rule.targetLabel !== '') refuse(rule, 'target_label');
      if (rule.regex !== undefined) refuse(rule, 'regex');
      break;
    case 'keep_metrics':
    case 'drop_metrics':
      if ((rule.regex ?? '') === '' && rule.if === undefined) {
        throw new RuleError(
          rule.index,
          'regex',
          `${rule.action} needs a "regex" that is not empty, or an "if"`,
        );
      }
      if (rule.sourceLabels?.length) refuse(rule, 'source_labels');
      break;
    case 'graphite':
      checkGraphite(rule);
      break;
  }
  if (rule.action !== 'graphite') {
    if (rule.match !== '') refuse(rule, 'match');
    if (rule.labels.length > 0) refuse(rule, 'labels');
  }
}

function checkGraphite(rule: Rule): void {
  if (rule.match === '') {
    throw new RuleError(rule.index, 'match', 'graphite needs "match": a name with stars, like "app.*.count"');
  }
  if (rule.labels.length === 0) {
    throw new RuleError(
      rule.index,
      'labels',
      'graphite needs "labels": label names with templates, like "$1"',
    );
  }
  if (rule.sourceLabels?.length) refuse(rule, 'source_labels');
  if (rule.targetLabel !== '') refuse(rule, 'target_label');
  if (rule.replacement !== undefined) refuse(rule, 'replacement');
  if (rule.regex !== undefined) refuse(rule, 'regex');
}

function actionOf(rule: Rule): string {
  return rule.action || 'replace';
}

function requireTarget(rule: Rule): void {
  if (rule.targetLabel !== '') return;
  throw new RuleError(
    rule.index,
    'target_label',
    `missing "target_label": ${actionOf(rule)} needs the label to use`,
  );
}

function requireSource(rule: Rule, count: 1 | 2): void {
  if ((rule.sourceLabels?.length ?? 0) >= count) return;
  const wanted = count === 1 ? 'at least one label' : 'at least two labels';
  const or = rule.action === 'keep' || rule.action === 'drop' ? ', or an "if"' : '';
  throw new RuleError(
    rule.index,
    'source_labels',
    `missing "source_labels": ${actionOf(rule)} needs ${wanted}${or}`,
  );
}

function requireModulus(rule: Rule): void {
  if (rule.modulus !== 0n) return;
  throw new RuleError(rule.index, 'modulus', '"modulus" must be greater than 0: hashmod divides by it');
}

function refuse(rule: Rule, key: string): never {
  throw new RuleError(rule.index, key, `"${key}" cannot be used with ${actionOf(rule)}: remove it`);
}
