/**
 * Relabeling as VictoriaMetrics does it. Source: VictoriaMetrics 1.150, lib/promrelabel and
 * app/vmagent/remotewrite, held by conformance/relabel.json.
 *
 * Labels keep their order, a name may occur twice, and a label may be empty while the rules run.
 */
import { xxh64 } from '../hash/xxhash64.ts';
import { type Label, labelValue, METRIC_NAME } from '../model/labels.ts';
import { type Action, type Engine, joinValues, retain, setLabel } from './action.ts';
import { toLowerSimple, toUpperSimple } from './casing.ts';
import { compileGraphiteMatch, compileGraphiteTemplate } from './graphite.ts';
import {
  invalidRegexMessage,
  MATCH_EVERYTHING,
  type VictoriaMetricsPattern,
  victoriaMetricsPattern,
} from './regex/regex.ts';
import { compileTemplate } from './regex/template.ts';
import { type Rule, RuleError } from './rule.ts';
import { compileSelector, SelectorError } from './selector/selector.ts';
import { compileReplace } from './victoriametrics-replace.ts';

export const victoriaMetricsEngine: Engine = {
  start: (labels) => labels.slice(),
  finish: (labels) => labels.filter(isHandedOn),
  finishText: 'at the end: empty labels and labels starting with __ are removed, except __name__',
  stopsWhenEmpty: true,
};

function isHandedOn({ name, value }: Label): boolean {
  return value !== '' && name !== '' && (!name.startsWith('__') || name === METRIC_NAME);
}

/** The rule's action with its `if` around it. @throws RuleError for an invalid regex or selector. */
export function compileVictoriaMetrics(rule: Rule): Action {
  const action = compileAction(rule, compilePattern(rule));
  const condition = compileCondition(rule);
  if (!condition) return action;
  // A keep whose condition fails drops the series; every other rule then does nothing.
  const keptOtherwise = rule.action !== 'keep' && rule.action !== 'keep_metrics';
  return (labels) => (condition(labels) ? action(labels) : keptOtherwise);
}

function compilePattern(rule: Rule): VictoriaMetricsPattern {
  if (rule.regex === undefined) return MATCH_EVERYTHING;
  // Here the engine compares the action as written: in another case the anchors are stripped.
  const keepAnchors = rule.actionAsWritten === 'replace_all' || rule.actionAsWritten === 'labelmap_all';
  try {
    return victoriaMetricsPattern(rule.regex, keepAnchors);
  } catch (error) {
    throw new RuleError(rule.index, 'regex', invalidRegexMessage(rule.regex, error), { cause: error });
  }
}

function compileCondition(rule: Rule): ((labels: readonly Label[]) => boolean) | undefined {
  if (!rule.if?.length) return undefined;
  const selectors = rule.if.map((text) => {
    try {
      return compileSelector(text);
    } catch (error) {
      if (!(error instanceof SelectorError)) throw error;
      throw new RuleError(rule.index, 'if', error.message, { cause: error });
    }
  });
  return (labels) => selectors.some((selector) => selector.matches(labels));
}

function compileAction(rule: Rule, pattern: VictoriaMetricsPattern): Action {
  switch (rule.action) {
    case '':
    case 'replace':
      return compileReplace(rule, pattern);
    case 'replace_all':
      return replaceAll(rule, pattern);
    case 'keep':
    case 'drop':
      return keepOrDrop(rule, pattern, rule.sourceLabels ?? [], rule.action === 'keep');
    case 'keep_metrics':
    case 'drop_metrics':
      return keepOrDrop(rule, pattern, [METRIC_NAME], rule.action === 'keep_metrics');
    case 'keepequal':
    case 'dropequal':
      return equalToTarget(rule, rule.action === 'keepequal');
    case 'keep_if_equal':
    case 'drop_if_equal':
      return equalToEachOther(rule, rule.action === 'keep_if_equal');
    case 'keep_if_contains':
    case 'drop_if_contains':
      return contains(rule, rule.action === 'keep_if_contains');
    case 'hashmod':
      return hashmod(rule);
    case 'uppercase':
      return mapValue(rule, toUpperSimple);
    case 'lowercase':
      return mapValue(rule, toLowerSimple);
    case 'labelmap':
      return labelmap(rule, pattern);
    case 'labelmap_all':
      return labelmapAll(rule, pattern);
    case 'labeldrop':
      return keepNames((name) => !pattern.test(name));
    case 'labelkeep':
      return keepNames(pattern.test);
    case 'graphite':
      return graphite(rule);
    default:
      throw new RuleError(rule.index, 'action', `unknown action "${rule.actionAsWritten}"`);
  }
}

function keepOrDrop(
  rule: Rule,
  pattern: VictoriaMetricsPattern,
  sources: readonly string[],
  keep: boolean,
): Action {
  const { separator = ';' } = rule;
  return (labels) => pattern.test(joinValues(labels, sources, separator)) === keep;
}

function equalToTarget({ sourceLabels = [], separator = ';', targetLabel }: Rule, keep: boolean): Action {
  return (labels) =>
    (joinValues(labels, sourceLabels, separator) === labelValue(labels, targetLabel)) === keep;
}

function equalToEachOther({ sourceLabels = [] }: Rule, keep: boolean): Action {
  return (labels) => {
    const first = labelValue(labels, sourceLabels[0]!);
    return sourceLabels.every((name) => labelValue(labels, name) === first) === keep;
  };
}

function contains({ sourceLabels = [], targetLabel }: Rule, keep: boolean): Action {
  return (labels) => {
    const target = labelValue(labels, targetLabel);
    return sourceLabels.every((name) => target.includes(labelValue(labels, name))) === keep;
  };
}

function hashmod({ sourceLabels = [], separator = ';', targetLabel, modulus }: Rule): Action {
  return (labels) => {
    const hash = xxh64(Buffer.from(joinValues(labels, sourceLabels, separator)));
    // The engine prints the remainder as a signed number.
    setLabel(labels, targetLabel, String(BigInt.asIntN(64, hash % modulus)));
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

function replaceAll(rule: Rule, pattern: VictoriaMetricsPattern): Action {
  const { sourceLabels = [], separator = ';', targetLabel } = rule;
  const replaceInside = insideReplacer(rule, pattern);
  return (labels) => {
    const source = joinValues(labels, sourceLabels, separator);
    const value = replaceInside(source);
    if (value !== source) setLabel(labels, targetLabel, value);
    return true;
  };
}

function labelmapAll(rule: Rule, pattern: VictoriaMetricsPattern): Action {
  const replaceInside = insideReplacer(rule, pattern);
  return (labels) => {
    for (let index = 0; index < labels.length; index++) {
      const { name, value } = labels[index]!;
      const mapped = replaceInside(name);
      if (mapped !== name) labels[index] = { name: mapped, value };
    }
    return true;
  };
}

function insideReplacer(
  { replacement = '$1' }: Rule,
  { inside }: VictoriaMetricsPattern,
): (text: string) => string {
  const template = compileTemplate(replacement, inside.groupNames);
  return (text) => inside.replaceAll(text, template);
}

function labelmap(rule: Rule, pattern: VictoriaMetricsPattern): Action {
  const mapName = labelNameMapper(rule, pattern);
  return (labels) => {
    // Labels added on the way are not visited; one changed on the way is seen as changed.
    const count = labels.length;
    for (let index = 0; index < count; index++) {
      const { name, value } = labels[index]!;
      const mapped = mapName(name);
      if (mapped !== name) setLabel(labels, mapped, value);
    }
    return true;
  };
}

const PREFIX_AND_REST = /^([^\\.+*?()|[\]{}^$]*)\(\.([*+])\)$/;

function labelNameMapper(
  { replacement = '$1' }: Rule,
  pattern: VictoriaMetricsPattern,
): (name: string) => string {
  const template = compileTemplate(replacement, pattern.groupNames);
  const prefixAndRest = replacement === '$1' ? PREFIX_AND_REST.exec(pattern.text) : null;
  if (prefixAndRest) {
    // The engine cuts the prefix off, so the rest may hold a newline, which its regex would not match.
    const [, prefix = '', operator] = prefixAndRest;
    const shortest = prefix.length + (operator === '+' ? 1 : 0);
    return (name) => (name.length >= shortest && name.startsWith(prefix) ? name.slice(prefix.length) : name);
  }
  return (name) => {
    if (!pattern.test(name)) return name;
    const captures = pattern.captures(name);
    return captures ? template.expand(captures) : name;
  };
}

function keepNames(keep: (name: string) => boolean): Action {
  return (labels) => {
    retain(labels, ({ name }) => keep(name));
    return true;
  };
}

function graphite({ match, labels: templates }: Rule): Action {
  const compiled = compileGraphiteMatch(match);
  const targets = templates.map(([name, template]) => ({ name, expand: compileGraphiteTemplate(template) }));
  return (labels) => {
    const taken = compiled.match(labelValue(labels, METRIC_NAME));
    if (taken) for (const { name, expand } of targets) setLabel(labels, name, expand(taken));
    return true;
  };
}
