import { ConfigError } from '../model/errors.ts';
import { assignBalanced } from './balanced.ts';
import { assignTasks } from './node.ts';
import type { TaskTopic } from './ranks.ts';

export type { TaskTopic } from './ranks.ts';

/**
 * How tasks are divided among nodes: `balanced` over all topics, or `per_route`, each topic by itself, as in releases
 * without a choice.
 */
export type OwnershipMethod = 'balanced' | 'per_route';

export const OWNERSHIP_METHODS = ['balanced', 'per_route'] as const satisfies OwnershipMethod[];

/** A node as hash 2 sees it: its name or, with a number, that instead. Under `per_route` numbers do not count. */
export type TaskNode = string | { readonly name: string; readonly number?: number | undefined };

/** Owner of each task. A function of task and event time alone, never of the series. */
export interface Ownership {
  /** Name of the node that owns `task` of `topic` at event time `timeMs`, milliseconds since the epoch. */
  owner(topic: string, task: number, timeMs: number): string;
  /** Tasks of `node` at event time `timeMs`, ascending; none if topic or node is unknown. */
  tasksOf(topic: string, node: string, timeMs: number): number[];
}

/**
 * Ownership by hash 2 over a fixed list of nodes: constant in time.
 *
 * @param topics all task topics of the configuration, in any order; one that is named twice counts once
 * @throws ConfigError if there is no node, or a name twice
 */
export function createOwnership(
  topics: readonly TaskTopic[],
  nodes: readonly TaskNode[],
  method: OwnershipMethod,
): Ownership {
  const names = nodes.map(nodeName);
  const assignments = assignTopics(topics, nodes, method);
  return {
    owner(topic, task, _timeMs) {
      const assignment = assignments.get(topic);
      const node = assignment?.[task];
      if (node === undefined)
        throw new RangeError(`task ${task} is not one of 0 … ${(assignment?.length ?? 0) - 1} of ${topic}`);
      return names[node]!;
    },
    tasksOf(topic, node, _timeMs) {
      const wanted = names.indexOf(node);
      const assignment = assignments.get(topic) ?? new Int32Array(0);
      return Array.from(assignment.keys()).filter((task) => assignment[task] === wanted);
    },
  };
}

/** For each topic, task ▸ index into `nodes`. @throws ConfigError if there is no node, or a name twice */
export function assignTopics(
  topics: readonly TaskTopic[],
  nodes: readonly TaskNode[],
  method: OwnershipMethod,
): Map<string, Int32Array> {
  const names = nodes.map(nodeName);
  checkNodes(names);
  // By name, so that the order of the routes does not matter.
  const distinct = [...new Map(topics.map((each) => [each.topic, each])).values()].sort((a, b) =>
    a.topic < b.topic ? -1 : 1,
  );
  const assignments =
    method === 'balanced'
      ? assignBalanced(distinct, nodes.map(hashedName))
      : distinct.map(({ count }) => assignTasks(count, names));
  return new Map(distinct.map(({ topic }, at) => [topic, assignments[at]!]));
}

export function nodeName(node: TaskNode): string {
  return typeof node === 'string' ? node : node.name;
}

export function nodeNumber(node: TaskNode): number | undefined {
  return typeof node === 'string' ? undefined : node.number;
}

function hashedName(node: TaskNode): string {
  return String(nodeNumber(node) ?? nodeName(node));
}

function checkNodes(nodes: readonly string[]): void {
  if (nodes.length === 0) throw new ConfigError('there are no nodes: name at least one that tasks can go to');
  const twice = nodes.find((node, at) => nodes.indexOf(node) !== at);
  if (twice !== undefined) {
    throw new ConfigError(
      `the node ${JSON.stringify(twice)} is named twice: give each node a name of its own`,
    );
  }
}
