/**
 * Relabeling as Prometheus does it. Source: Prometheus 3, model/relabel and labels.Builder, held by
 * conformance/relabel.json.
 *
 * The working list holds the labels as received, sorted by name, then the labels that rules have set, in the
 * order in which they were first set. An empty label is an absent one.
 */
import { createHash } from 'node:crypto';
import { compareByBytes } from '../hash/byte-order.ts';
import { type Label, labelValue } from '../model/labels.ts';
import { type Action, type Engine, indexOfName, joinValues, retain } from './action.ts';
import { toLowerSimple, toUpperSimple } from './casing.ts';
import { invalidRegexMessage, prometheusPattern, type WholePattern } from './regex/regex.ts';
import { compileTemplate } from './regex/template.ts';
import { type Rule, RuleError } from './rule.ts';

export const prometheusEngine: Engine = {
  start: (labels) => sortByName(labels.filter(({ value }) => value !== '')),
  finish: (labels) => sortByName(labels.map(({ name, value }) => ({ name, value }))),
  finishText: 'at the end: empty labels are removed',
  stopsWhenEmpty: false,
};

function sortByName(labels: Label[]): Label[] {
  for (let index = 1; index < labels.length; index++) {
    if (compareByBytes(labels[index - 1]!.name, labels[index]!.name) > 0) {
      return labels.sort((a, b) => compareByBytes(a.name, b.name));
    }
  }
  return labels;
}

/** A label set by a rule. It keeps its place when it is set again. */
class SetLabel implements Label {
  readonly name: string;
  readonly value: string;

  constructor(name: string, value: string) {
    this.name = name;
    this.value = value;
  }
}

function setLabel(labels: Label[], name: string, value: string): void {
  if (value === '') {
    removeLabel(labels, name);
    return;
  }
  const index = indexOfName(labels, name);
  if (index >= 0 && labels[index] instanceof SetLabel) {
    labels[index] = new SetLabel(name, value);
    return;
  }
  if (index >= 0) removeLabel(labels, name);
  labels.push(new SetLabel(name, value));
}

function removeLabel(labels: Label[], name: string): void {
  retain(labels, (label) => label.name !== name);
}

/** @throws RuleError for an invalid regex. */
export function compilePrometheus(rule: Rule): Action {
  const pattern = compilePattern(rule);
  switch (rule.action) {
    case 'replace':
      return replace(rule, pattern);
    case 'keep':
    case 'drop':
      return keepOrDrop(rule, pattern, rule.action === 'keep');
    case 'keepequal':
    case 'dropequal':
      return equalToTarget(rule, rule.action === 'keepequal');
    case 'hashmod':
      return hashmod(rule);
    case 'uppercase':
      return mapValue(rule, toUpperSimple);
    case 'lowercase':
      return mapValue(rule, toLowerSimple);
    case 'labelmap':
      return labelmap(rule, pattern);
    case 'labeldrop':
      return keepNames((name) => !pattern.test(name));
    case 'labelkeep':
      return keepNames(pattern.test);
    default:
      throw new RuleError(rule.index, 'action', `unknown action "${rule.actionAsWritten}"`);
  }
}

function compilePattern({ index, regex = '(.*)' }: Rule): WholePattern {
  try {
    return prometheusPattern(regex);
  } catch (error) {
    throw new RuleError(index, 'regex', invalidRegexMessage(regex, error), { cause: error });
  }
}

function replace(rule: Rule, pattern: WholePattern): Action {
  const { sourceLabels = [], separator = ';', targetLabel, replacement = '$1' } = rule;
  const template = compileTemplate(replacement, pattern.groupNames);
  const target = compileTemplate(targetLabel, pattern.groupNames);
  const needsCaptures = template.constant === undefined || target.constant === undefined;
  return (labels) => {
    const source = joinValues(labels, sourceLabels, separator);
    const captures = needsCaptures ? pattern.captures(source) : undefined;
    if (needsCaptures ? captures === undefined : !pattern.test(source)) return true;
    const name = target.expand(captures);
    if (name !== '') setLabel(labels, name, template.expand(captures));
    return true;
  };
}

function keepOrDrop(
  { sourceLabels = [], separator = ';' }: Rule,
  pattern: WholePattern,
  keep: boolean,
): Action {
  return (labels) => pattern.test(joinValues(labels, sourceLabels, separator)) === keep;
}

function equalToTarget({ sourceLabels = [], separator = ';', targetLabel }: Rule, keep: boolean): Action {
  return (labels) =>
    (joinValues(labels, sourceLabels, separator) === labelValue(labels, targetLabel)) === keep;
}

function hashmod({ sourceLabels = [], separator = ';', targetLabel, modulus }: Rule): Action {
  return (labels) => {
    const digest = createHash('md5')
      .update(joinValues(labels, sourceLabels, separator))
      .digest();
    setLabel(labels, targetLabel, String(digest.readBigUInt64BE(8) % modulus));
    return true;
  };
}

function mapValue(
  { sourceLabels = [], separator = ';', targetLabel }: Rule,
  map: (text: string) => string,
): Action {
  return (labels) => {
    setLabel(labels, targetLabel, map(joinValues(labels, sourceLabels, separator)));
    return true;
  };
}

function labelmap({ replacement = '$1' }: Rule, pattern: WholePattern): Action {
  const template = compileTemplate(replacement, pattern.groupNames);
  return (labels) => {
    for (const { name, value } of labels.slice()) {
      if (pattern.test(name)) setLabel(labels, pattern.replaceAll(name, template), value);
    }
    return true;
  };
}

function keepNames(keep: (name: string) => boolean): Action {
  return (labels) => {
    retain(labels, ({ name }) => keep(name));
    return true;
  };
}
