import { expectedName } from '../../core/model/nearest.ts';
import { shown } from '../../core/options/types.ts';
import type { NodeOptions, RouteOptions } from '../../core/route/options.ts';
import type { RegistryOptions } from '../../io/registry/options.ts';
import { ingestTopics, type WorkerOptions } from '../../services/worker/options.ts';
import type { Path } from './source.ts';

/** The sections that parsed; undefined: that section or item did not. */
export interface Sections {
  readonly worker: WorkerOptions | undefined;
  readonly registry: RegistryOptions | undefined;
  readonly routes: readonly (RouteOptions | undefined)[];
  readonly nodes: readonly (NodeOptions | undefined)[];
  readonly drainNode: string;
}

/** Reports what is wrong with the value at a path. */
export type Refuse = (path: Path, message: string) => void;

/** Checks across sections: duplicate names, conflicting topics, nodes that do not exist. */
export function crossCheck(sections: Sections, refuse: Refuse): void {
  const { worker, registry, routes, nodes, drainNode } = sections;
  refuseRepeats(routes, 'routes', 'name', refuse);
  refuseRepeats(nodes, 'nodes', 'name', refuse);
  refuseRepeats(nodes, 'nodes', 'number', refuse);
  refuseMissingNumbers(nodes, refuse);
  const read = worker === undefined ? [] : ingestTopics(worker).map(({ topic }) => topic);
  if (worker !== undefined && read.includes(worker.dead_topic)) {
    refuse(
      ['worker', 'dead_topic'],
      `${shown(worker.dead_topic)} is the ingest topic too; expected a topic of its own`,
    );
  }
  for (const [at, topic] of read.entries()) {
    const first = read.indexOf(topic);
    if (first === at) continue;
    const message = `${shown(topic)} is the topic of worker.topics[${first}] too; expected another topic`;
    refuse(['worker', 'topics', at, 'topic'], message);
  }
  if (worker !== undefined && registry !== undefined && registry.url === undefined) {
    for (const { topic, encoding } of ingestTopics(worker)) {
      if (encoding !== 'confluent') continue;
      const message = `missing; expected the registry's address, since the records of ${topic} are confluent`;
      refuse(['registry', 'url'], message);
      break;
    }
  }
  for (const [at, route] of routes.entries()) {
    if (route === undefined) continue;
    const path = ['routes', at, 'topic'];
    if (read.includes(route.topic)) {
      refuse(
        path,
        `${shown(route.topic)} is the ingest topic, which the route reads from; expected another topic`,
      );
    } else if (route.topic === worker?.dead_topic) {
      refuse(path, `${shown(route.topic)} is the dead-letter topic; expected another topic`);
    }
  }
  refuseSharedTopics(routes, refuse);
  if (drainNode !== '' && !nodes.some((node) => node?.name === drainNode) && !nodes.includes(undefined)) {
    refuse(['drain', 'node'], `there is no node ${shown(drainNode)}; ${expectedNode(drainNode, nodes)}`);
  }
}

function refuseRepeats(
  items: readonly ({ readonly name: string; readonly number?: number | undefined } | undefined)[],
  section: 'routes' | 'nodes',
  key: 'name' | 'number',
  refuse: Refuse,
): void {
  for (const [at, item] of items.entries()) {
    const value = item?.[key];
    if (value === undefined) continue;
    const first = items.findIndex((other) => other?.[key] === value);
    if (first === at) continue;
    refuse(
      [section, at, key],
      `${shown(value)} is the ${key} of ${section}[${first}] too; expected another ${key}`,
    );
  }
}

/** Routes may share a topic only if its partitions are the same tasks to both. */
function refuseSharedTopics(routes: readonly (RouteOptions | undefined)[], refuse: Refuse): void {
  for (const [at, route] of routes.entries()) {
    const other = routes.find((earlier) => earlier !== undefined && earlier.topic === route?.topic);
    if (route === undefined || other === undefined || other === route) continue;
    const shared = `route ${other.name} has topic ${other.topic} too, with`;
    if (other.task.count !== route.task.count) {
      refuse(
        ['routes', at, 'task', 'count'],
        `${shared} count ${other.task.count}; expected the same count, or another topic`,
      );
    } else if (other.partitions !== route.partitions) {
      const message = `${shared} ${other.partitions} partitions; expected the same number, or another topic`;
      refuse(['routes', at, 'partitions'], message);
    }
  }
}

/** Nodes have a number each, or none has. */
function refuseMissingNumbers(nodes: readonly (NodeOptions | undefined)[], refuse: Refuse): void {
  const numbered = nodes.find((node) => node?.number !== undefined);
  if (numbered === undefined) return;
  for (const [at, node] of nodes.entries()) {
    if (node === undefined || node.number !== undefined) continue;
    const message = `missing, while node ${numbered.name} has one; expected one at every node, or at none`;
    refuse(['nodes', at, 'number'], message);
  }
}

function expectedNode(name: string, nodes: readonly (NodeOptions | undefined)[]): string {
  const names = nodes.flatMap((node) => (node === undefined ? [] : [node.name]));
  return names.length === 0 ? 'expected it in nodes, which has none' : expectedName(name, names);
}
