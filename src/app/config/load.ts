import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type * as z from 'zod';
import { ConfigError, errorMessage } from '../../core/model/errors.ts';
import { type NodeOptions, nodeOptions, type RouteOptions, routeOptions } from '../../core/route/options.ts';
import { compileRoute } from '../../core/route/route.ts';
import { crossCheck, type Refuse } from './cross-checks.ts';
import { type Environment, readEnvironment } from './environment.ts';
import { layer } from './layers.ts';
import { type Leaf, leavesOf, pickLeaves, shownFor } from './leaves.ts';
import { findPlaceholders, placeholderHint, type ValuePlace } from './placeholders.ts';
import { Positions } from './positions.ts';
import { explainIssue, InvalidConfig, type Problem, valueAt } from './problem.ts';
import { configHash } from './redact.ts';
import { type RouteRules, readRouteRules } from './route-rules.ts';
import { type Options, options, type ProcessOptions, processOptions } from './schema.ts';
import { type Path, type ReadFile, Source } from './source.ts';

/** A configuration that passed every check: all defaults filled in, relabel files read. */
export interface Config extends Options {
  /** The file as it was named. */
  readonly file: string;
  /** Contents of the file and the relabel files, by path, from which the same configuration can be loaded again. */
  readonly texts: Readonly<Record<string, string>>;
  readonly positions: Positions;
  /** Warnings of names that were changed since they were written. */
  readonly oldNames: readonly Problem[];
  /** Hash of the files' contents (hash.ts). */
  readonly hash: string;
}

/** `file:line` of the value at `path`, or the environment variable that set it. */
export function locate(config: Config, path: Path): string {
  return config.positions.locate(path);
}

/**
 * Reads and checks the configuration, as start-up and `penstock check` do.
 *
 * @throws ConfigError with every problem, one a line: `FILE:LINE: PATH: what was wrong; what was expected`
 */
export function loadConfig({
  file,
  env,
  texts = {},
}: {
  file: string;
  env: Environment;
  /** Contents by path, used instead of reading those files. */
  texts?: Config['texts'];
}): Config {
  const readFile = (path: string) => texts[path] ?? readFileSync(path, 'utf8');
  let text: string;
  try {
    text = readFile(file);
  } catch (error) {
    const message = `cannot be read: ${errorMessage(error)}; expected a YAML file, named by -c FILE or PENSTOCK_CONFIG`;
    throw new ConfigError(`${file}: ${message}`, { cause: error });
  }
  return parseConfig(text, file, env, readFile);
}

/**
 * Checks a configuration's text. `file` names it in messages; paths in it are relative to its folder.
 *
 * @throws ConfigError as `loadConfig`
 */
export function parseConfig(text: string, file: string, env: Environment, readFile: ReadFile): Config {
  const source = new Source(file, text);
  if (source.problems.length > 0) throw new InvalidConfig(source.problems);

  const leaves = leavesOf(processOptions);
  const environment = readEnvironment(leaves, env, readFile);
  const rules = new Map<number, RouteRules>();
  const texts: Record<string, string> = { [file]: text };
  const positions = new Positions(source, environment.origins, rules);
  const problems: Problem[] = [...environment.problems];
  const refused = new Set<string>();
  const refuse: Refuse = (path, message) => {
    refused.add(path.join('.'));
    problems.push(positions.problem(path, message));
  };

  const { routes: routeList, nodes: nodeList, ...given } = pickLeaves(options, source.value, [], refuse);
  const asGiven = structuredClone({ ...given, nodes: nodeList });
  resolvePaths(leaves, given, dirname(file));
  const layered = layer(leaves, given, environment.values);
  const values = { ...layered, routes: routeList, nodes: nodeList };
  const variableOf = (path: Path) => leaves.find((leaf) => leaf.path.join('.') === path.join('.'))?.env;
  const refuseValue: Refuse = (path, message) => {
    const variable = variableOf(typeof path.at(-1) === 'number' ? path.slice(0, -1) : path);
    const hint = placeholderHint(valueAt(values, path), variable);
    refuse(path, hint === undefined ? message : `${message}; ${hint}`);
  };
  const settings = parseSettings(layered, refuseValue);
  const routes = parseList(routeOptions, routeList, 'routes', refuseValue);
  const nodes = parseList(nodeOptions, nodeList, 'nodes', refuseValue);
  for (const { path, message } of findPlaceholders(valuePlaces(leaves, values), values))
    if (!refused.has(path.join('.'))) refuse(path, message);

  refuseUnreadable(leaves, settings, [], readFile, refuse);
  const nodeLeaves = leavesOf(nodeOptions);
  for (const [at, node] of nodes.entries()) {
    if (node === undefined) continue;
    resolvePaths(nodeLeaves, node, dirname(file));
    refuseUnreadable(nodeLeaves, node, ['nodes', at], readFile, refuse);
  }
  const { worker, registry, drain } = settings;
  crossCheck({ worker, registry, routes, nodes, drainNode: drain?.node ?? '' }, refuse);
  for (const [at, route] of routes.entries()) {
    if (route === undefined) continue;
    const found = readRouteRules(route, at, source, (path) => {
      texts[path] = readFile(path);
      return texts[path];
    });
    if ('message' in found) {
      problems.push(found);
      continue;
    }
    rules.set(at, found);
    route.relabel = found.rules;
    for (const { path, message } of compileRoute(route, at).problems)
      refuse(['routes', at, ...path], message);
  }
  if (problems.length > 0) throw new InvalidConfig(problems);

  // Nothing was refused, so every section and every item is there.
  return {
    ...(settings as ProcessOptions),
    routes: routes as RouteOptions[],
    nodes: nodes as NodeOptions[],
    file,
    texts,
    positions,
    oldNames: [...source.warnings, ...environment.warnings],
    hash: configHash({ ...asGiven, routes: withRules(routeList, rules) }),
  };
}

/** Routes as given, with the rules of relabel files in `relabel`. */
function withRules(routes: unknown, rules: ReadonlyMap<number, RouteRules>): unknown {
  const list = Array.isArray(routes) ? routes : [];
  return list.map((route: object, at) => ({ ...route, relabel: rules.get(at)?.rules }));
}

/** Keys of a route in which `${…}` and braces have a meaning of their own. */
const ROUTE_TEXTS = ['match', 'relabel'];

/** Places of all values that are taken literally: a placeholder in one is a mistake. */
function valuePlaces(
  leaves: readonly Leaf[],
  { routes, nodes }: { readonly routes: unknown; readonly nodes: unknown },
): ValuePlace[] {
  const inList = (item: z.ZodType, list: unknown, section: string) =>
    (Array.isArray(list) ? list : []).flatMap((_, at) =>
      leavesOf(item).map(({ path, secret }) => ({ path: [section, at, ...path], secret })),
    );
  const ofRoutes = inList(routeOptions, routes, 'routes').filter(
    ({ path }) => !ROUTE_TEXTS.includes(String(path[2])),
  );
  return [...leaves, ...ofRoutes, ...inList(nodeOptions, nodes, 'nodes')];
}

/** Parses each section of the process settings by itself: undefined if invalid, with its problems reported. */
function parseSettings(layered: Readonly<Record<string, unknown>>, refuse: Refuse): Partial<ProcessOptions> {
  const sections = Object.entries(processOptions.shape);
  return Object.fromEntries(
    sections.map(([name, schema]) => [name, parse<z.ZodType>(schema, layered[name], [name], refuse)]),
  );
}

/** Parses each item of a list by itself: undefined if invalid, with its problems reported. */
function parseList<T extends z.ZodType>(
  item: T,
  value: unknown,
  section: string,
  refuse: Refuse,
): (z.output<T> | undefined)[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.map((entry, at) => parse(item, entry, [section, at], refuse));
  refuse([section], `${shownFor(item, value)} does not fit; expected a list`);
  return [];
}

function parse<T extends z.ZodType>(
  schema: T,
  value: unknown,
  path: Path,
  refuse: Refuse,
): z.output<T> | undefined {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    for (const problem of explainIssue(issue, value, schema)) {
      refuse([...path, ...(problem.path as Path)], problem.message);
    }
  }
  return undefined;
}

/** Resolves the file paths in `settings` against the configuration's folder. */
function resolvePaths(leaves: readonly Leaf[], settings: Record<string, unknown>, folder: string): void {
  for (const { path, file } of leaves) {
    const section = valueAt(settings, path.slice(0, -1)) as Record<string, unknown> | undefined;
    const key = path.at(-1)!;
    const value = section?.[key];
    if (file && section !== undefined && typeof value === 'string') section[key] = resolve(folder, value);
  }
}

function refuseUnreadable(
  leaves: readonly Leaf[],
  settings: unknown,
  section: Path,
  readFile: ReadFile,
  refuse: Refuse,
): void {
  for (const { path, file } of leaves) {
    const value = file ? valueAt(settings, path) : undefined;
    if (typeof value !== 'string') continue;
    try {
      readFile(value);
    } catch (error) {
      refuse(
        [...section, ...path],
        `the file cannot be read: ${errorMessage(error)}; expected a readable file`,
      );
    }
  }
}
