import { createOwner, type Owner } from '../hash/node.ts';

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
  readonly #owners: ReadonlyMap<string, { readonly count: number; readonly owner: Owner }>;

  constructor(routes: readonly DrainRoute[], nodes: readonly string[], node: string) {
    this.node = node;
    this.#routes = routes;
    this.#owners = new Map(
      routes.map(({ topic, count }) => [topic, { count, owner: createOwner(count, nodes) }]),
    );
  }

  /** The task topics, each once: routes may share one. */
  get topics(): string[] {
    return [...this.#owners.keys()];
  }

  /** Whether the node computes the task at event time `timeMs`. Partitions beyond the task count are nobody's. */
  owns(topic: string, task: number, timeMs: number): boolean {
    const entry = this.#owners.get(topic);
    return entry !== undefined && task < entry.count && entry.owner.owner(task, timeMs) === this.node;
  }

  /** Tasks of the node at `timeMs`, by route name. */
  tasks(timeMs: number): Map<string, number[]> {
    return new Map(
      this.#routes.map(({ name, topic }) => [
        name,
        this.#owners.get(topic)!.owner.tasksOf(this.node, timeMs),
      ]),
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

/** The consumer group of a node on a task topic. All drains of the node share it. */
export function drainGroupId(topic: string, node: string): string {
  return `penstock.${topic}.${node}`;
}
