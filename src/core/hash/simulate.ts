import { type Labels, METRIC_NAME } from '../model/labels.ts';
import { assignTopics, nodeName, type OwnershipMethod, type TaskNode, type TaskTopic } from './ownership.ts';
import { compileTask, type TaskHash } from './task.ts';

/** Tasks or groups moved by a change, and the least possible. Shares are fractions of 1. */
export interface Movement {
  readonly total: number;
  readonly moved: number;
  readonly share: number;
  /** The share that any even assignment has to move. */
  readonly idealShare: number;
}

/** Tasks that a node has before and after; undefined while it is not among the nodes. */
export interface NodeLoad {
  readonly node: string;
  readonly before: number | undefined;
  readonly after: number | undefined;
}

export interface NodeChange extends Movement {
  readonly loads: readonly NodeLoad[];
}

export interface NodesChange {
  readonly byTopic: ReadonlyMap<string, NodeChange>;
  readonly all: NodeChange;
}

/** Tasks that go to another node when the list changes from `before` to `after`. */
export function simulateNodes(
  topics: readonly TaskTopic[],
  before: readonly TaskNode[],
  after: readonly TaskNode[],
  method: OwnershipMethod,
): NodesChange {
  const old = assignTopics(topics, before, method);
  const next = assignTopics(topics, after, method);
  const [namesBefore, namesAfter] = [before.map(nodeName), after.map(nodeName)];
  const change = (names: readonly string[]): NodeChange => {
    const [was, is] = [old, next].map((assigned) => names.flatMap((name) => [...assigned.get(name)!]));
    return compare(namesBefore, was!, namesAfter, is!);
  };
  return {
    byTopic: new Map([...old.keys()].map((topic) => [topic, change([topic])])),
    all: change([...old.keys()]),
  };
}

/** `was` and `is`: for each task the index of its node. */
function compare(
  before: readonly string[],
  was: readonly number[],
  after: readonly string[],
  is: readonly number[],
): NodeChange {
  const moved = was.filter((node, task) => before[node] !== after[is[task]!]).length;
  const loadBefore = loadOf(before, was);
  const loadAfter = loadOf(after, is);
  const loads = [...new Set([...before, ...after])].map((node) => ({
    node,
    before: loadBefore.get(node),
    after: loadAfter.get(node),
  }));
  const stay = before.filter((node) => loadAfter.has(node)).length;
  const idealShare = 1 - stay / Math.max(before.length, after.length);
  return { ...movement(was.length, moved), idealShare, loads };
}

export interface CountChange extends Movement {
  /** How many of the groups go to another node; undefined if there are no nodes. */
  readonly movedToOtherNode: number | undefined;
}

export interface CountOptions {
  /** Names of the group labels; every one of `groups` carries them. */
  readonly labels: readonly string[];
  readonly hash: TaskHash;
  /** Task ▸ node, before and after; undefined if there are no nodes. */
  readonly owners: { readonly before: Int32Array | undefined; readonly after: Int32Array | undefined };
}

/**
 * Those of `groups` that change task when the task count goes from `before` to `after`.
 * Only a group's first task is compared: the spread shifts both sides alike.
 */
export function simulateCount(
  groups: readonly Labels[],
  before: number,
  after: number,
  { labels, hash, owners }: CountOptions,
): CountChange {
  const oldTask = compileTask({ labels, hash, spread: 1, count: before });
  const nextTask = compileTask({ labels, hash, spread: 1, count: after });
  let moved = 0;
  let movedToOtherNode = 0;
  for (const group of groups) {
    const from = oldTask(group);
    const to = nextTask(group);
    if (from !== to) moved++;
    if (owners.before?.[from] !== owners.after?.[to]) movedToOtherNode++;
  }
  const idealShare = Math.abs(after - before) / Math.max(before, after);
  return {
    ...movement(groups.length, moved),
    idealShare,
    movedToOtherNode: owners.before === undefined ? undefined : movedToOtherNode,
  };
}

/** `total` made-up groups of one label, for want of real ones. */
export function syntheticGroups(total: number): Labels[] {
  return Array.from({ length: total }, (_, at) => [{ name: METRIC_NAME, value: `group_${at}` }]);
}

function movement(total: number, moved: number) {
  return { total, moved, share: total === 0 ? 0 : moved / total };
}

function loadOf(nodes: readonly string[], assignment: readonly number[]): Map<string, number> {
  const load = new Map(nodes.map((node) => [node, 0]));
  for (const node of assignment) load.set(nodes[node]!, load.get(nodes[node]!)! + 1);
  return load;
}
