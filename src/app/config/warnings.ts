import { nearest } from '../../core/model/nearest.ts';
import { shown } from '../../core/options/types.ts';
import { settledLabels } from '../../core/relabel/lost-labels.ts';
import { readRule } from '../../core/relabel/rule.ts';
import type { RouteOptions } from '../../core/route/options.ts';
import type { Config } from './load.ts';
import { formatProblem, type Problem } from './problem.ts';
import type { Path } from './source.ts';

const SHORT = 4;

/** Warnings about settings that are valid but likely mistakes, old names first, then in the order of the routes. */
export function warningsOf({
  routes,
  positions,
  oldNames,
}: Pick<Config, 'routes' | 'positions' | 'oldNames'>): Problem[] {
  const warnings: Problem[] = [...oldNames];
  const named = labelsNamed(routes);
  const warn = (path: Path, message: string) => warnings.push(positions.problem(path, message));
  for (const [at, route] of routes.entries()) {
    const settled = settledLabels(route.task.labels, route.relabel, route.dialect);
    for (const { label, value, rule } of settled) {
      const path: Path =
        rule === undefined
          ? ['routes', at, 'task', 'labels', route.task.labels.indexOf(label)]
          : ['routes', at, 'relabel', rule];
      const what = value === '' ? 'is on no series' : `is ${shown(value)} on every series`;
      const where = rule === undefined ? 'at the end of the rules, as its name begins with __' : 'here';
      warn(
        path,
        `group label ${label} of route ${route.name} ${what} from ${where} on, so it divides nothing among the tasks; ` +
          'expected task.labels to have labels that the rules leave',
      );
    }
    for (const [position, label] of route.task.labels.entries()) {
      const meant = likelyMeant(label, route.task.labels, named);
      if (meant === undefined) continue;
      const message = `no rule and no other route names the label ${shown(label)}; is ${meant} meant?`;
      warn(['routes', at, 'task', 'labels', position], message);
    }
  }
  return warnings;
}

/** Warnings as lines of text. */
export function formatWarnings(warnings: readonly Problem[]): string[] {
  return warnings.map(formatProblem);
}

/** How often each label is named by group labels and rules, in the order of first mention. */
function labelsNamed(routes: readonly RouteOptions[]): Map<string, number> {
  const named = new Map<string, number>();
  const count = (name: string) => named.set(name, (named.get(name) ?? 0) + 1);
  for (const { task, relabel, dialect } of routes) {
    for (const [position, raw] of relabel.entries()) {
      const { sourceLabels = [], targetLabel, labels } = readRule(raw, position, dialect);
      for (const name of [...sourceLabels, targetLabel, ...labels.map(([name]) => name)]) count(name);
    }
    for (const name of task.labels) count(name);
  }
  named.delete('');
  return named;
}

/**
 * The label likely meant by a group label that is named only once: a similar one that is named more than once, or
 * earlier. Short names are left out, since all of them are similar.
 */
function likelyMeant(
  label: string,
  own: readonly string[],
  named: ReadonlyMap<string, number>,
): string | undefined {
  if (label.length <= SHORT || named.get(label)! > 1) return undefined;
  const names = [...named.keys()];
  const isMore = (name: string) => named.get(name)! > 1 || names.indexOf(name) < names.indexOf(label);
  return nearest(
    label,
    names.filter((name) => name.length > SHORT && !own.includes(name) && isMore(name)),
  );
}
