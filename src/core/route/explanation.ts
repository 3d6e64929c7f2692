import { compareByBytes } from '../hash/byte-order.ts';
import { type Label, type Labels, labelValue } from '../model/labels.ts';
import type { RelabelStep } from '../relabel/compile.ts';
import { type Filter, parseSelector } from '../relabel/selector/parse.ts';
import { compileSelector } from '../relabel/selector/selector.ts';
import type { CompiledRoute } from './route.ts';

/** Result of one of the route's selectors. */
export interface SelectorResult {
  readonly selector: string;
  readonly matched: boolean;
  /** If it did not match: the filters that do not hold, one entry for each group of an `or`. */
  readonly why: readonly string[];
}

/** Task of a matching series after relabeling, and how it was computed. */
export interface TaskPlacement {
  /** The group: `{namespace="shop",service="cart"}`. */
  readonly groupKey: string;
  /** Names and values of the group labels; an absent label is an empty value, as hash 1 takes it. */
  readonly group: readonly Label[];
  /** The group's hash, an unsigned decimal. */
  readonly hash: string;
  /** The group's first task; `spreadIndex` is added to it. */
  readonly firstTask: number;
  /** Which of the group's tasks this series uses: 0 … spread-1. */
  readonly spreadIndex: number;
  readonly task: number;
  /** Partition of the route's topic: the task. */
  readonly partition: number;
  /** Labels written to the task topic: those after relabeling and the task label, sorted by name. */
  readonly output: readonly Label[];
}

/** Decisions of one route on one series. */
export interface RouteExplanation {
  readonly route: CompiledRoute;
  readonly matched: boolean;
  /** Empty where the route takes every series. */
  readonly selectors: readonly SelectorResult[];
  /** Empty where the series does not match. */
  readonly steps: readonly RelabelStep[];
  /** Undefined where the series does not match or a rule drops it. */
  readonly placement: TaskPlacement | undefined;
}

/** Takes a series through one route as the pipeline does, recording each decision and its reason. */
export function explainRoute(route: CompiledRoute, labels: Labels): RouteExplanation {
  const selectors = route.selectors.map((selector): SelectorResult => {
    const matched = selector.matches(labels);
    return { selector: selector.text, matched, why: matched ? [] : explainMismatch(selector.text, labels) };
  });
  const matched = selectors.length === 0 || selectors.some((selector) => selector.matched);
  if (!matched) return { route, matched, selectors, steps: [], placement: undefined };
  const steps = route.hasRules ? route.relabeler.explain(labels) : [];
  const relabeled = route.hasRules ? route.relabeler.apply(labels) : labels;
  return { route, matched, selectors, steps, placement: relabeled && place(route, relabeled) };
}

function place(route: CompiledRoute, labels: Labels): TaskPlacement {
  const { groupKey, hash, task, spreadIndex } = route.task.explain(labels);
  const taskLabel = { name: route.taskLabel, value: String(task) };
  return {
    groupKey,
    group: route.groupLabels.map((name) => ({
      name,
      value: labels.find((label) => label.name === name)?.value ?? '',
    })),
    hash,
    firstTask: (task - spreadIndex + route.count) % route.count,
    spreadIndex,
    task,
    partition: task,
    output: [...labels.filter(({ name }) => name !== route.taskLabel), taskLabel].sort((a, b) =>
      compareByBytes(a.name, b.name),
    ),
  };
}

/**
 * Explains why a selector does not match: the filters that do not hold, each with the series' actual value, such as
 * `service="cart" does not hold: service is "checkout"`. One line for each group of an `or`.
 */
export function explainMismatch(selector: string, labels: Labels): string[] {
  const groups = parseSelector(selector);
  if (groups.length === 0) return ['{} matches nothing'];
  return groups.map((filters) => {
    const failing = filters.filter((filter) => !compileSelector(`{${filterText(filter)}}`).matches(labels));
    return failing
      .map((filter) => `${shown(filter)} does not hold: ${actual(filter.label, labels)}`)
      .join('; ');
  });
}

/** The filter as selector text: JSON's escapes are valid in a selector's string too. */
function filterText({ label, operator, value }: Filter): string {
  return `${labelText(label)}${operator}${JSON.stringify(value)}`;
}

function shown({ label, operator, value }: Filter): string {
  return `${label}${operator}${JSON.stringify(value)}`;
}

function actual(name: string, labels: Labels): string {
  const value = labelValue(labels, name);
  return value === '' ? `the series has no ${name}` : `${name} is ${JSON.stringify(value)}`;
}

/** Quotes a name that is no identifier. */
function labelText(label: string): string {
  return /^[a-zA-Z_:][a-zA-Z0-9_:.]*$/.test(label) ? label : JSON.stringify(label);
}
