import { createOwnership, type Ownership } from '../../core/hash/ownership.ts';
import { formatSeries, type Label, type Labels } from '../../core/model/labels.ts';
import { expectedName } from '../../core/model/nearest.ts';
import { seriesRefusal } from '../../core/pipeline/series-refusal.ts';
import { explainRoute, type RouteExplanation } from '../../core/route/explanation.ts';
import { compileRoutes } from '../../core/route/route.ts';
import { epochMs } from '../../io/time/clock.ts';
import { type Config, loadConfig } from '../config/load.ts';
import { DONE, parseCommand, printJson, usageError } from './command.ts';
import { parseLabelsJson, parseSeries } from './series-argument.ts';
import { type SimulationSetup, simulate } from './simulate.ts';
import { type ExplainedNode, formatLabels, type RouteFacts, routeLines } from './text/explain-text.ts';
import { wrap } from './text/wrap.ts';

const HELP = `
penstock explain SERIES [-c FILE] [--route NAME] [--simulate CHANGE] [--json]
penstock explain --labels JSON …
penstock explain --simulate CHANGE …

Shows where a series goes and why, without Kafka: for every route whether it matches, what each relabel step
does, the group, its hash, the task, the partition, and the vmagent that computes it.

  SERIES              http_requests_total{service="cart"} or {__name__="http_requests_total",service="cart"}
  --labels JSON       the series as {"__name__":"http_requests_total","service":"cart"}
  --route NAME        this route alone
  --simulate CHANGE   what a change would move: nodes=5, nodes=a,b,c (tasks), or count=64 (groups)
`;

/** A route's explanation, with the facts that the text and the JSON add to it. */
interface Explained {
  readonly explanation: RouteExplanation;
  readonly facts: RouteFacts;
  readonly node: ExplainedNode | undefined;
}

export async function run(argv: string[]): Promise<number> {
  const command = parseCommand(argv, {
    name: 'explain',
    help: HELP,
    options: { labels: { type: 'string' }, route: { type: 'string' }, simulate: { type: 'string' } },
    positionals: { min: 0, max: 1 },
  });
  if (command === undefined) return DONE;
  const { route, simulate: change } = command.values;
  const series = givenSeries(command.positionals[0], command.values.labels);
  if (series === undefined && change === undefined) {
    throw usageError(
      'explain',
      'there is nothing to explain; expected SERIES, --labels JSON or --simulate CHANGE',
    );
  }
  const whole = loadConfig({ file: command.configFile, env: process.env });
  const config = selectRoute(whole, route);
  const simulation = change === undefined ? undefined : simulate(simulationSetup(whole, route), change);
  const texts: string[] = [];
  let json = {};
  if (series !== undefined) {
    const refusal = seriesRefusal(series, config.worker.limits);
    const explained = refusal === undefined ? explain(config, series, ownerOf(whole)) : [];
    const parts = [wrap(`series ${formatLabels(series)}`, 7), ...explained.map(toLines)];
    if (refusal !== undefined) parts.push(wrap(`A worker makes this series a dead letter: ${refusal}.`, 2));
    else if (route === undefined && explained.every(({ explanation }) => !explanation.matched)) {
      parts.push(['No route takes this series: a worker reads it and writes it nowhere.']);
    }
    texts.push(...parts.map((lines) => `${lines.join('\n')}\n`));
    json = {
      series: formatSeries(series),
      labels: object(series),
      dead_letter: refusal ?? null,
      routes: explained.map(toJson),
    };
  }
  if (simulation !== undefined) {
    texts.push(simulation.text);
    json = { ...json, simulation: simulation.json };
  }
  if (command.json) printJson(json);
  else process.stdout.write(texts.join('\n'));
  return DONE;
}

function givenSeries(text: string | undefined, labelsJson: string | undefined): Labels | undefined {
  if (text !== undefined && labelsJson !== undefined) {
    throw usageError('explain', 'SERIES and --labels are both given; expected one of them');
  }
  if (text !== undefined) return parseSeries(text);
  return labelsJson === undefined ? undefined : parseLabelsJson(labelsJson);
}

function selectRoute(config: Config, name: string | undefined): Config {
  if (name === undefined) return config;
  const routes = config.routes.filter((route) => route.name === name);
  if (routes.length === 0) {
    const names = config.routes.map((route) => route.name);
    throw usageError('explain', `--route ${name}: there is no such route; ${expectedName(name, names)}`);
  }
  return { ...config, routes };
}

/** Hash 2 over all routes, explained or not; undefined without nodes. */
function ownerOf(config: Config): Ownership | undefined {
  const { nodes, ownership } = config;
  return nodes.length === 0 ? undefined : createOwnership(compileRoutes(config), nodes, ownership);
}

function explain(config: Config, series: Labels, ownership: Ownership | undefined): Explained[] {
  return compileRoutes(config).map((route, at) => {
    const { count, hash, spread } = config.routes[at]!.task;
    const explanation = explainRoute(route, series);
    const task = explanation.placement?.task;
    const owner = task === undefined ? undefined : ownership?.owner(route.topic, task, epochMs());
    const node = config.nodes.find(({ name }) => name === owner);
    return { explanation, facts: { count, hash, spread }, node };
  });
}

function toLines({ explanation, facts, node }: Explained): string[] {
  return routeLines(explanation, facts, node);
}

function toJson({ explanation, facts, node }: Explained): object {
  const { route, matched, selectors, steps, placement } = explanation;
  return {
    route: route.name,
    matched,
    selectors,
    steps: steps.map(({ index, rule, before, after, changed }) => ({
      step: index + 1,
      rule,
      before: object(before),
      after: after === undefined ? null : object(after),
      changed,
    })),
    dropped: matched && placement === undefined,
    ...(placement === undefined
      ? {}
      : {
          group_labels: object(placement.group),
          group: placement.groupKey,
          hash: placement.hash,
          hash_function: facts.hash,
          count: facts.count,
          spread: facts.spread,
          spread_index: placement.spreadIndex,
          task: placement.task,
          topic: route.topic,
          partition: placement.partition,
          vmagent: node?.name ?? null,
          url: node?.url ?? null,
          output_labels: object(placement.output),
        }),
  };
}

function object(labels: readonly Label[]): Record<string, string> {
  return Object.fromEntries(labels.map(({ name, value }) => [name, value]));
}

function simulationSetup(config: Config, only: string | undefined): SimulationSetup {
  return {
    routes: compileRoutes(config).map(({ name, topic, index }) => ({
      name,
      topic,
      ...config.routes[index]!.task,
    })),
    nodes: config.nodes.map(({ name, number }) => ({ name, number })),
    ownership: config.ownership,
    only,
  };
}
