import { createOwnership } from '../../core/hash/ownership.ts';
import { printable } from '../../core/model/printable.ts';
import { compileRoutes } from '../../core/route/route.ts';
import { type Config, loadConfig } from '../config/load.ts';
import { InvalidConfig, type Problem } from '../config/problem.ts';
import { requireRoutes } from '../config/required-routes.ts';
import { formatWarnings, warningsOf } from '../config/warnings.ts';
import { DONE, parseCommand, printJson, WRONG_USAGE } from './command.ts';
import { formatTable } from './text/table.ts';

const HELP = `
penstock check [-c FILE] [--json]

Validates the configuration as start-up does, without Kafka: keys, values, relabel files, rules and
selectors. Prints what it means: the routes, and how many tasks of each a node has.
Every problem is printed as FILE:LINE: KEY: what was wrong; what was expected. Exit code 2 if there is one.
Warns of group labels that the rules of a route take away or make the same on every series, and of those that look
like a typing error; that is no problem of the file, and the exit code is 0.
`;

interface Summary {
  readonly file: string;
  readonly ok: true;
  readonly routes: readonly {
    readonly name: string;
    readonly topic: string;
    readonly count: number;
    readonly group_labels: readonly string[];
    readonly selectors: number;
    readonly rules: number;
  }[];
  /** Settings that are valid but likely mistakes. */
  readonly warnings: readonly Problem[];
  readonly nodes: readonly {
    readonly name: string;
    readonly url: string;
    /** Number of tasks on this node, by route name. */
    readonly tasks: Readonly<Record<string, number>>;
  }[];
}

export async function run(argv: string[]): Promise<number> {
  const command = parseCommand(argv, { name: 'check', help: HELP });
  if (command === undefined) return DONE;
  try {
    const config = loadConfig({ file: command.configFile, env: process.env });
    requireRoutes(config);
    const summary = summarize(config);
    if (command.json) printJson(summary);
    else process.stdout.write(formatSummary(summary));
    return DONE;
  } catch (error) {
    if (!command.json || !(error instanceof InvalidConfig)) throw error;
    printJson({ file: command.configFile, ok: false, problems: error.problems });
    return WRONG_USAGE;
  }
}

function summarize(config: Config): Summary {
  const routes = compileRoutes(config);
  const { nodes } = config;
  const ownership = nodes.length === 0 ? undefined : createOwnership(routes, nodes, config.ownership);
  const tasksOf = (node: string) =>
    Object.fromEntries(routes.map(({ name, topic }) => [name, ownership!.tasksOf(topic, node, 0).length]));
  return {
    file: config.file,
    ok: true,
    routes: routes.map((route) => ({
      name: route.name,
      topic: route.topic,
      count: route.count,
      group_labels: route.groupLabels,
      selectors: route.selectors.length,
      rules: config.routes[route.index]!.relabel.length,
    })),
    warnings: warningsOf(config),
    nodes: nodes.map(({ name, url }) => ({ name, url, tasks: tasksOf(name) })),
  };
}

function formatSummary({ file, routes, nodes, warnings }: Summary): string {
  const routeRows = routes.map((route) => [
    route.name,
    route.topic,
    String(route.count),
    route.group_labels.join(','),
    String(route.rules),
  ]);
  const nodeRows = nodes.map((node) => [
    node.name,
    ...routes.map((route) => String(node.tasks[route.name] ?? 0)),
    node.url,
  ]);
  const parts = [`${file}: ok`];
  parts.push(
    routes.length === 0
      ? 'no routes: a worker drops every sample that it reads'
      : formatTable([['ROUTE', 'TOPIC', 'TASKS', 'GROUP LABELS', 'RULES'], ...routeRows]),
  );
  parts.push(
    nodes.length === 0
      ? 'no nodes: a drain has nowhere to send to'
      : formatTable([['NODE', ...routes.map((route) => `TASKS OF ${route.name}`), 'URL'], ...nodeRows]),
  );
  if (warnings.length > 0) parts.push(['Warnings:', ...formatWarnings(warnings).map(printable)].join('\n'));
  return `${parts.join('\n\n')}\n`;
}
