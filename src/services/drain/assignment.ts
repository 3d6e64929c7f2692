import {
  createOwnership,
  type Ownership,
  type OwnershipMethod,
  type TaskNode,
} from '../../core/hash/ownership.ts';

/** The part of a route that a drain needs. */
export interface DrainRoute {
  readonly name: string;
  readonly topic: string;
  readonly count: number;
}

/**
 * Assigns task partitions to a node, by hash 2.
 *
 * Ownership is a function of task and event time. Today it is fixed by the configuration, so every time gives
 * the same answer; when nodes join and leave at window boundaries, only this class has to change.
 */
export class NodeAssignment {
  readonly node: string;
  readonly #routes: readonly DrainRoute[];
  readonly #counts: ReadonlyMap<string, number>;
  readonly #ownership: Ownership;

  constructor(
    routes: readonly DrainRoute[],
    nodes: readonly TaskNode[],
    node: string,
    method: OwnershipMethod,
  ) {
    this.node = node;
    this.#routes = routes;
    this.#counts = new Map(routes.map(({ topic, count }) => [topic, count]));
    this.#ownership = createOwnership(routes, nodes, method);
  }

  /** The task topics, each once: routes may share one. */
  get topics(): string[] {
    return [...this.#counts.keys()];
  }

  /** Whether the node computes the task at event time `timeMs`. Partitions beyond the task count have no owner. */
  owns(topic: string, task: number, timeMs: number): boolean {
    const count = this.#counts.get(topic) ?? 0;
    return task < count && this.#ownership.owner(topic, task, timeMs) === this.node;
  }

  /** Tasks of the node at `timeMs`, by route name. */
  tasks(timeMs: number): Map<string, number[]> {
    return new Map(
      this.#routes.map(({ name, topic }) => [name, this.#ownership.tasksOf(topic, this.node, timeMs)]),
    );
  }

  /** Names of the routes that write to a topic, for labels of metrics. */
  routeOf(topic: string): string {
    return this.#routes
      .filter((route) => route.topic === topic)
      .map(({ name }) => name)
      .join('+');
  }
}

/** Prefix of the groups that Penstock names; the name of the workers' group is configured. */
export const GROUP_PREFIX = 'penstock.';

/**
 * Consumer group of a node on a task topic; all drains of the node share it. Names of topics and nodes have no slash,
 * so the name is unique to the pair, however many dots they have.
 */
export function drainGroupId(topic: string, node: string): string {
  return `${drainGroupPrefix(topic)}${node}`;
}

/** Prefix of `drainGroupId` for a topic, whatever the node. */
function drainGroupPrefix(topic: string): string {
  return `${GROUP_PREFIX}drain/${topic}/`;
}

/**
 * The same of versions that separated topic and node by a dot. It is ambiguous: groups of other topics may have it, and
 * a group may belong to two pairs of topic and node. Only its commits for the topic count.
 */
export function formerDrainGroupPrefix(topic: string): string {
  return `${GROUP_PREFIX}${topic}.`;
}

/** Whether a group may be that of a node on the topic, also by the name of an earlier version. */
export function isDrainGroup(topic: string, group: string): boolean {
  return group.startsWith(drainGroupPrefix(topic)) || group.startsWith(formerDrainGroupPrefix(topic));
}

/** The name of the node that a drain group of the topic belongs to. */
export function nodeOfDrainGroup(topic: string, group: string): string {
  const prefix = group.startsWith(drainGroupPrefix(topic))
    ? drainGroupPrefix(topic)
    : formerDrainGroupPrefix(topic);
  return group.slice(prefix.length);
}
