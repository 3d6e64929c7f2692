import { createOwnership, type Ownership, type OwnershipMethod } from '../../core/hash/ownership.ts';

/** What a drain has to know of a route. */
export interface DrainRoute {
  readonly name: string;
  readonly topic: string;
  readonly count: number;
}

/**
 * Which task partitions a node reads, by hash 2.
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
    nodes: readonly string[],
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

  /** Whether the node computes the task at event time `timeMs`. Partitions beyond the task count are nobody's. */
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

/** How the names of all groups begin that Penstock makes. */
export const GROUP_PREFIX = 'penstock.';

/**
 * The consumer group of a node on a task topic. All drains of the node share it. Neither topics nor nodes have a slash in
 * their names, so no two of them share a group, however many dots they have, and no other group is called so.
 */
export function drainGroupId(topic: string, node: string): string {
  return `${drainGroupPrefix(topic)}${node}`;
}

/** How the names of all groups begin that `drainGroupId` makes for a topic, whatever the node. */
function drainGroupPrefix(topic: string): string {
  return `${GROUP_PREFIX}drain/${topic}/`;
}

/**
 * The same of versions that separated them by a dot. Groups of other topics may begin so too, and one group may be that of
 * two topics and nodes: what it has committed for the topic counts.
 */
export function formerDrainGroupPrefix(topic: string): string {
  return `${GROUP_PREFIX}${topic}.`;
}

/** Whether that may be the group of a node on the topic, also one made by an earlier version. */
export function isDrainGroup(topic: string, group: string): boolean {
  return group.startsWith(drainGroupPrefix(topic)) || group.startsWith(formerDrainGroupPrefix(topic));
}

/** The node whose group this is on the topic, by its name. */
export function nodeOfDrainGroup(topic: string, group: string): string {
  const prefix = group.startsWith(drainGroupPrefix(topic))
    ? drainGroupPrefix(topic)
    : formerDrainGroupPrefix(topic);
  return group.slice(prefix.length);
}
