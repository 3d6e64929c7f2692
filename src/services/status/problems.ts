import type { LeftoverStatus, NodeStatus, ReadingGroup } from './deployment.ts';
import type { ExpectedDeployment } from './expected.ts';
import type { Observation } from './observe.ts';
import { ageText, ranges } from './texts.ts';

/** Input of `problemsOf`. */
export interface Seen {
  readonly expected: ExpectedDeployment;
  readonly seen: Observation;
  readonly ingest: readonly ReadingGroup[];
  readonly nodes: readonly NodeStatus[];
  readonly leftovers?: readonly LeftoverStatus[];
  readonly before?: { readonly secondsAgo: number };
  readonly drift?: readonly string[];
}

/** Problems for the operator, one sentence per cause: what is wrong, where, and what to do. */
export function problemsOf(all: Seen): string[] {
  const { expected, seen, ingest, nodes, leftovers = [], before, drift = [] } = all;
  const seconds = before?.secondsAgo ?? 0;
  return [
    ...topicProblems(expected, seen),
    ...drift,
    ...workerProblems(ingest),
    ...stuckWorkers(ingest, seconds),
    ...nodes.flatMap(nodeProblems),
    ...nodes.flatMap((node) => stuckNode(node, seconds)),
    ...nodes.flatMap(({ node, topics }) => topics.flatMap((each) => strayReaders(node, each))),
    ...leftovers.filter(({ live }) => live).map(strayNode),
    ...nobodysPartitions(expected, seen),
  ];
}

function topicProblems(
  { taskTopics }: ExpectedDeployment,
  { bounds, unknown, troubles }: Observation,
): string[] {
  const missing = troubles.filter(({ kind }) => kind === 'missing').map(({ topic }) => topic);
  const problems = missing.length === 0 ? [] : [`${topicsText(missing)} exist; run penstock topics apply`];
  problems.push(...troubles.filter(({ kind }) => kind !== 'missing').map(({ message }) => message));
  for (const { topic, count } of taskTopics) {
    const has = bounds.has(topic) ? bounds.get(topic)!.size + (unknown.get(topic)?.length ?? 0) : count;
    if (has < count) {
      problems.push(`topic ${topic} has ${has} partitions for ${count} tasks; run penstock topics apply`);
    }
  }
  for (const [topic, partitions] of unknown) {
    if (partitions.length === 0) continue;
    problems.push(
      `partition ${partitions.join(', ')} of ${topic} cannot be read or written to: no broker leads it, or its leader ` +
        'does not answer; look at the brokers that have its replicas',
    );
  }
  return problems;
}

function topicsText(topics: readonly string[]): string {
  return topics.length === 1 ? `topic ${topics[0]} does not` : `topics ${topics.join(', ')} do not`;
}

/** Partitions that workers read without progress. */
function stuckWorkers(ingest: readonly ReadingGroup[], seconds: number): string[] {
  const stuck = ingest.filter((topic) => topic.stuck.length > 0);
  if (stuck.length === 0) return [];
  const places = stuck.map(({ topic, stuck: partitions }) => `partition ${ranges(partitions)} of ${topic}`);
  return [
    `workers do not get on with ${places.join(', ')}: ${waitText(stuck, seconds)}; their log and /-/ready say why`,
  ];
}

/** A node that does not take samples is one problem, not one per topic. */
function stuckNode({ node, answer, topics }: NodeStatus, seconds: number): string[] {
  const stuck = topics.filter((topic) => topic.stuck.length > 0);
  if (stuck.length === 0) return [];
  const places = stuck.map(({ topic, stuck: partitions }) => `partition ${ranges(partitions)} of ${topic}`);
  const why = answer === undefined ? "its drain's log says why" : `asked from here, ${answer}`;
  return [
    `${node} does not take what its drains send: ${places.join(', ')}: ${waitText(stuck, seconds)}; ${why}`,
  ];
}

function waitText(stuck: readonly ReadingGroup[], seconds: number): string {
  const ages = stuck.flatMap(({ lag_seconds }) => lag_seconds ?? []);
  const oldest = ages.length === 0 ? 'records wait' : `records wait since ${ageText(Math.max(...ages))} ago`;
  return `${oldest}, and nothing was committed in ${Math.round(seconds)} s`;
}

/** A fault of the whole group is one problem, not one per topic. */
function workerProblems(ingest: readonly ReadingGroup[]): string[] {
  const partitions = ingest.reduce((total, topic) => total + topic.partitions.length, 0);
  const [first] = ingest;
  if (first !== undefined && partitions > 0 && first.members.length === 0) {
    const topics = ingest.map(({ topic }) => topic).join(', ');
    return [`no worker runs: nobody reads ${partitions} partitions of ${topics} (group ${first.group})`];
  }
  return [...new Set(ingest.flatMap((topic) => groupProblems('worker', topic)))];
}

/** A node without any drain is one problem, not one per topic. */
function nodeProblems({ node, topics }: NodeStatus): string[] {
  const partitions = topics.reduce((total, topic) => total + topic.partitions.length, 0);
  if (partitions > 0 && topics.every(({ members }) => members.length === 0)) {
    return [`no drain of ${node} runs: nobody reads its ${partitions} partitions`];
  }
  return topics.flatMap((topic) => groupProblems(`drain of ${node}`, topic));
}

function groupProblems(
  who: string,
  { topic, group, state, members, unread, partitions }: ReadingGroup,
): string[] {
  if (partitions.length === 0) return [];
  if (members.length === 0) {
    return [`no ${who} runs: nobody reads ${partitions.length} partitions of ${topic} (group ${group})`];
  }
  if (state !== 'Stable') return [`group ${group} is in a rebalance (${state}); look again in a moment`];
  if (unread.length === 0) return [];
  return [
    `nobody reads partition ${ranges(unread)} of ${topic}, though group ${group} has members; restart them`,
  ];
}

/** A drain that reads what hash 2 gives to another node: two nodes would compute one task. */
function strayReaders(node: string, { topic, tasks, members }: NodeStatus['topics'][number]): string[] {
  return members.flatMap(({ client, host, partitions }) => {
    const stray = partitions.filter((partition) => !tasks.includes(partition));
    if (stray.length === 0) return [];
    return [
      `a drain of ${node} (${client} at ${host}) reads partition ${ranges(stray)} of ${topic}, which this ` +
        'configuration does not give to it; it runs with other nodes or counts: give all drains the same configuration',
    ];
  });
}

/** A drain of a node that is not configured. While it runs, the new owners of its partitions wait for it. */
function strayNode({ node, topic, group }: LeftoverStatus): string {
  return `a drain of ${node} reads ${topic} (group ${group}), and this configuration has no such node; stop it, or add the node`;
}

/** Records beyond the task count: no node reads them, as after task.count was lowered. */
function nobodysPartitions({ taskTopics }: ExpectedDeployment, { bounds }: Observation): string[] {
  return taskTopics.flatMap(({ topic, count }) => {
    const beyond = [...(bounds.get(topic) ?? [])].filter(([partition]) => partition >= count);
    const filled = beyond.filter(([, { low, high }]) => high > low).map(([partition]) => partition);
    if (filled.length === 0) return [];
    return [
      `partition ${ranges(filled.sort(ascending))} of ${topic} has records and belongs to no task, since there are ` +
        `${count} tasks; were they written with a larger task.count?`,
    ];
  });
}

function ascending(a: number, b: number): number {
  return a - b;
}
