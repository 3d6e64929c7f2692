import {
  assignTopics,
  nodeName,
  nodeNumber,
  type OwnershipMethod,
  type TaskNode,
  type TaskTopic,
} from '../../core/hash/ownership.ts';
import {
  type CountChange,
  type NodeChange,
  simulateCount,
  simulateNodes,
  syntheticGroups,
} from '../../core/hash/simulate.ts';
import type { TaskHash } from '../../core/hash/task.ts';
import { ConfigError } from '../../core/model/errors.ts';

/** The part of the configuration that a simulation needs. */
export interface SimulationSetup {
  readonly routes: readonly {
    readonly name: string;
    readonly topic: string;
    readonly count: number;
    readonly spread: number;
    readonly hash: TaskHash;
  }[];
  /** The configured nodes. */
  readonly nodes: readonly TaskNode[];
  readonly ownership: OwnershipMethod;
  /** Name of the only route to report. Default: all. */
  readonly only?: string | undefined;
}

export interface SimulationReport {
  /** For people; lines end in `\n`. */
  readonly text: string;
  /** The same for programs: `{simulate: 'nodes' | 'count', …, routes: […]}`, shares of 1. */
  readonly json: object;
}

/** Groups that a count change is tried on. Enough for the share to be right to about one percent. */
const GROUPS = 10_000;

/**
 * `penstock explain --simulate SPEC`: what a change of the nodes or of the task count would move.
 *
 * SPEC is `nodes=5` (the configured nodes cut or continued to five), `nodes=a,b,c` (these), or `count=64`
 * (every route, or only `setup.only`, gets 64 tasks).
 *
 * @throws ConfigError if SPEC is none of these
 */
export function simulate(setup: SimulationSetup, spec: string): SimulationReport {
  const [, key, value] = /^(\w+)=(.*)$/s.exec(spec) ?? [];
  if (key === 'nodes') return nodesReport(setup, nodesOf(value!, setup.nodes));
  if (key === 'count') return countReport(setup, countOf(value!));
  throw new ConfigError(`--simulate ${spec}: expected nodes=5, nodes=a,b,c or count=64`);
}

function nodesReport(setup: SimulationSetup, after: readonly TaskNode[]): SimulationReport {
  const { routes, nodes, ownership } = setup;
  const { byTopic, all } = simulateNodes(routes, nodes, after, ownership);
  const results = toldOf(setup).map((route) => ({ route, change: byTopic.get(route.topic)! }));
  const text = [
    `nodes: ${nodes.length} ▸ ${after.length} (${after.map(nodeName).join(', ')})`,
    ...results.flatMap(({ route, change }) => ['', ...nodeLines(`route ${route.name}`, change)]),
    ...(results.length > 1 ? ['', ...nodeLines('all routes', all)] : []),
  ];
  const json = {
    simulate: 'nodes',
    before: nodes.map(nodeName),
    after: after.map(nodeName),
    routes: results.map(({ route, change }) => ({ route: route.name, count: route.count, ...change })),
    all,
  };
  return { text: lines(text), json };
}

function toldOf({ routes, only }: SimulationSetup): SimulationSetup['routes'] {
  return only === undefined ? routes : routes.filter(({ name }) => name === only);
}

function nodeLines(what: string, change: NodeChange): string[] {
  const width = Math.max(4, ...change.loads.map((load) => load.node.length));
  const row = (node: string, before: string, after: string) =>
    `  ${node.padEnd(width)}  ${before.padStart(6)}  ${after.padStart(6)}`;
  return [
    `${what}: ${change.moved} of ${change.total} tasks move, ${shares(change)}`,
    row('node', 'before', 'after'),
    ...change.loads.map((load) => row(load.node, String(load.before ?? '-'), String(load.after ?? '-'))),
  ];
}

function countReport(setup: SimulationSetup, count: number): SimulationReport {
  const { nodes } = setup;
  const assign = (topics: readonly TaskTopic[]) =>
    nodes.length === 0 ? undefined : assignTopics(topics, nodes, setup.ownership);
  const [before, after] = [assign(setup.routes), assign(withCount(setup, count))];
  const groups = syntheticGroups(GROUPS);
  const labels = groups[0]!.map((label) => label.name);
  const results = toldOf(setup).map((route) => {
    const { topic, hash } = route;
    const owners = { before: before?.get(topic), after: after?.get(topic) };
    return { route, change: simulateCount(groups, route.count, count, { labels, hash, owners }) };
  });
  const text = results.flatMap(({ route, change }, at) => [
    ...(at > 0 ? [''] : []),
    ...countLines(route, count, change),
  ]);
  const json = {
    simulate: 'count',
    after: count,
    groups: GROUPS,
    routes: results.map(({ route, change }) => ({
      route: route.name,
      hash: route.hash,
      before: route.count,
      ...change,
    })),
  };
  return { text: lines(text), json };
}

/** The topics after the change: those of the reported routes have the new count. */
function withCount(setup: SimulationSetup, count: number): TaskTopic[] {
  const changed = new Set(toldOf(setup).map(({ topic }) => topic));
  return setup.routes.map((route) => ({
    topic: route.topic,
    count: changed.has(route.topic) ? count : route.count,
  }));
}

function countLines(route: SimulationSetup['routes'][number], count: number, change: CountChange): string[] {
  const { name, hash, spread } = route;
  const result = [
    `route ${name}: count ${route.count} ▸ ${count}, hash ${hash}, tried on ${change.total} made-up groups`,
    `  ${change.moved} groups change their task, ${shares(change)}`,
  ];
  if (change.movedToOtherNode !== undefined) {
    const share = percent(change.movedToOtherNode / change.total);
    result.push(`  ${change.movedToOtherNode} groups change their node, ${share}`);
  }
  if (spread > count) result.push(`  spread ${spread} is more than ${count} tasks: lower it first`);
  return result;
}

function nodesOf(value: string, current: readonly TaskNode[]): readonly TaskNode[] {
  if (/^\d+$/.test(value)) return resize(current, wholeNumber('nodes', value, 1000));
  const names = value.split(',').map((name) => name.trim());
  if (names.includes(''))
    throw new ConfigError(`--simulate nodes=${value}: a name is empty; expected nodes=a,b,c`);
  return numberedLike(current, names);
}

/** `names`, each with the number of the present node of that name, or with the next free one if nodes have numbers. */
function numberedLike(current: readonly TaskNode[], names: readonly string[]): readonly TaskNode[] {
  const present = new Map(current.map((node) => [nodeName(node), nodeNumber(node)]));
  const taken = new Set(present.values());
  if (taken.has(undefined)) return names;
  let next = 0;
  return names.map((name) => {
    let number = present.get(name);
    for (; number === undefined; next += 1) if (!taken.has(next)) number = next;
    return { name, number };
  });
}

function countOf(value: string): number {
  return wholeNumber('count', value, 1_000_000);
}

function wholeNumber(key: string, value: string, most: number): number {
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (number >= 1 && number <= most) return number;
  throw new ConfigError(`--simulate ${key}=${value}: expected a whole number from 1 to ${most}`);
}

/** The first `size` nodes, continued by names in the manner of the last: vmagent-2, vmagent-3, … */
function resize(current: readonly TaskNode[], size: number): readonly TaskNode[] {
  const names = current.slice(0, size).map(nodeName);
  const [, stem, digits] = /^(.*?)(\d+)$/s.exec(names.at(-1) ?? '') ?? [];
  let next = digits === undefined ? names.length + 1 : Number(digits) + 1;
  while (names.length < size) {
    const name = `${stem ?? 'node-'}${next++}`;
    if (!names.includes(name)) names.push(name);
  }
  return numberedLike(current, names);
}

function shares(change: NodeChange | CountChange): string {
  return `${percent(change.share)} (ideal: ${percent(change.idealShare)})`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function lines(text: readonly string[]): string {
  return `${text.join('\n')}\n`;
}
