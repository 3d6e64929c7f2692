import type { TaskHash } from '../../../core/hash/task.ts';
import { type Label, type Labels, labelValue } from '../../../core/model/labels.ts';
import type { RelabelStep } from '../../../core/relabel/compile.ts';
import type { RouteExplanation, TaskPlacement } from '../../../core/route/explanation.ts';
import { wrap } from './wrap.ts';

/** Configuration of a route's hash 1. */
export interface RouteFacts {
  readonly count: number;
  readonly hash: TaskHash;
  readonly spread: number;
}

/** The vmagent that has a task. */
export interface ExplainedNode {
  readonly name: string;
  readonly url: string;
}

/** Columns before the text of a row. */
const MARGIN = 13;

/** A series with a space after each comma, so that it can be wrapped. */
export function formatLabels(labels: Labels): string {
  return `{${labels.map(({ name, value }) => `${name}=${JSON.stringify(value)}`).join(', ')}}`;
}

/** Lines that explain what one route does with the series. */
export function routeLines(
  { route, matched, selectors, steps, placement }: RouteExplanation,
  facts: RouteFacts,
  node: ExplainedNode | undefined,
): string[] {
  const lines = wrap(`route ${route.name}`, 2);
  if (!matched) {
    lines.push(...row('matched', 'no'));
    for (const { selector, why } of selectors) {
      lines.push(...row('', `selector ${selector}`, 2), ...why.flatMap((each) => row('', `  ${each}`, 4)));
    }
    return lines;
  }
  const by = selectors.find((selector) => selector.matched);
  lines.push(...row('matched', by === undefined ? 'yes, it takes every series' : `yes, by ${by.selector}`));
  if (steps.length === 0) lines.push(...row('relabeling', 'no rules'));
  for (const [at, step] of steps.entries()) lines.push(...stepLines(step, at === 0));
  if (placement === undefined)
    lines.push(...row('result', 'dropped from this route; other routes are not affected'));
  else lines.push(...placementLines(placement, route.topic, facts, node));
  return lines;
}

function stepLines(step: RelabelStep, first: boolean): string[] {
  const lines = row(first ? 'relabeling' : '', `${step.index + 1}. ${step.rule}`, 3);
  if (step.after === undefined) return [...lines, ...row('', '   the series is dropped here', 5)];
  if (!step.changed) return [...lines, ...row('', '   nothing changed', 5)];
  return [...lines, ...changesOf(step.before, step.after).flatMap((change) => row('', `   ${change}`, 5))];
}

/** One line per changed label. A change of order alone is mentioned too, since order decides collisions. */
function changesOf(before: Labels, after: readonly Label[]): string[] {
  const names = [...new Set([...before, ...after].map(({ name }) => name))];
  const changes = names.flatMap((name) => {
    const [from, to] = [labelValue(before, name), labelValue(after, name)];
    if (from === to) return [];
    return [
      `${name}: ${from === '' ? 'absent' : JSON.stringify(from)} ▸ ${to === '' ? 'removed' : JSON.stringify(to)}`,
    ];
  });
  return changes.length > 0 ? changes : ['only the order of labels changed'];
}

function placementLines(
  { groupKey, hash, firstTask, spreadIndex, task, partition, output }: TaskPlacement,
  topic: string,
  { count, hash: kind, spread }: RouteFacts,
  node: ExplainedNode | undefined,
): string[] {
  const spreadText =
    spread === 1
      ? '1: the whole group is on one task'
      : `${spread}: tasks ${firstTask} … ${(firstTask + spread - 1) % count}; this series takes number ${spreadIndex} of them`;
  return [
    ...row('group', groupKey.replaceAll('",', '", ')),
    ...row('hash', `${hash} (${kind}: first task ${firstTask} of 0 … ${count - 1})`),
    ...row('spread', spreadText),
    ...row('task', String(task)),
    ...row('topic', `${topic}, partition ${partition}`),
    ...row(
      'vmagent',
      node === undefined ? 'none: the configuration has no nodes' : `${node.name} at ${node.url}`,
    ),
    ...row('written as', formatLabels(output)),
  ];
}

function row(title: string, text: string, hang = 0): string[] {
  return wrap(`  ${title.padEnd(MARGIN - 2)}${text}`, MARGIN + hang);
}
