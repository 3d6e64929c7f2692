import { compileTask, type TaskFunction } from '../hash/task.ts';
import { ConfigError } from '../model/errors.ts';
import { compileRelabel, type Relabeler, RuleError } from '../relabel/compile.ts';
import { compileSelector, type Selector, SelectorError } from '../relabel/selector/selector.ts';
import type { RouteOptions } from './options.ts';

/** A route, ready for the pipeline: everything that can be decided once is decided. */
export interface CompiledRoute {
  readonly name: string;
  /** Position in the configuration. */
  readonly index: number;
  /** Task topic. */
  readonly topic: string;
  /** A series, as received, has to match one of them. Empty: every series matches. */
  readonly selectors: readonly Selector[];
  readonly relabeler: Relabeler;
  readonly hasRules: boolean;
  /** Number of relabel rules. */
  readonly rules: number;
  /** Hash 1, on the labels after relabeling. */
  readonly task: TaskFunction;
  /** Label that carries the task id. */
  readonly taskLabel: string;
  /** Number of tasks. */
  readonly count: number;
  readonly groupLabels: readonly string[];
}

/** A fault in a route; `path` is relative to the route. */
export interface RouteProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** The part of a configuration that routes are compiled from. */
export interface RouteSource {
  readonly routes: readonly RouteOptions[];
  readonly positions: { locate(path: readonly (string | number)[]): string };
}

/**
 * Compiles all routes of a configuration.
 *
 * @throws ConfigError with every wrong selector and rule, one a line, each with its file and line
 */
export function compileRoutes({ routes, positions }: RouteSource): CompiledRoute[] {
  const compiled: CompiledRoute[] = [];
  const refused: string[] = [];
  for (const [index, options] of routes.entries()) {
    const { route, problems } = compileRoute(options, index);
    if (route !== undefined) compiled.push(route);
    for (const { path, message } of problems) {
      refused.push(`${positions.locate(['routes', index, ...path])}: route ${options.name}: ${message}`);
    }
  }
  if (refused.length > 0) throw new ConfigError(refused.join('\n'));
  return compiled;
}

/** Compiles one route, or reports every invalid selector and rule. */
export function compileRoute(
  options: RouteOptions,
  index: number,
): { route: CompiledRoute | undefined; problems: readonly RouteProblem[] } {
  const problems: RouteProblem[] = [];
  const selectors: Selector[] = [];
  for (const [at, text] of options.match.entries()) {
    try {
      selectors.push(compileSelector(text));
    } catch (error) {
      if (!(error instanceof SelectorError)) throw error;
      problems.push({ path: ['match', at], message: error.message });
    }
  }
  const relabeler = compileRules(options, problems);
  if (relabeler === undefined || problems.length > 0) return { route: undefined, problems };
  const route = {
    name: options.name,
    index,
    topic: options.topic,
    selectors,
    relabeler,
    hasRules: options.relabel.length > 0,
    rules: options.relabel.length,
    task: compileTask(options.task),
    taskLabel: options.task.label,
    count: options.task.count,
    groupLabels: options.task.labels,
  };
  return { route, problems };
}

/** Compiles each rule alone first, so that every invalid one is reported. */
function compileRules({ relabel, dialect }: RouteOptions, problems: RouteProblem[]): Relabeler | undefined {
  let refused = 0;
  for (const [at, rule] of relabel.entries()) {
    try {
      compileRelabel([rule], dialect);
    } catch (error) {
      if (!(error instanceof RuleError)) throw error;
      const path = error.key === undefined ? ['relabel', at] : ['relabel', at, error.key];
      problems.push({ path, message: error.message });
      refused++;
    }
  }
  return refused === 0 ? compileRelabel(relabel, dialect) : undefined;
}
