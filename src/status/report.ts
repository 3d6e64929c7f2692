import type { OffsetBounds } from '../kafka/admin.ts';
import type { GroupDescription } from '../kafka/group-description.ts';
import type {
  DeploymentStatus,
  LeftoverStatus,
  NodeStatus,
  PartitionLag,
  ReadingGroup,
} from './deployment.ts';
import type { ExpectedDeployment, ExpectedNode } from './expected.ts';
import type { CommittedOffsets, Observation } from './observe.ts';
import { problemsOf } from './problems.ts';

/** Joins what should run with what Kafka says. */
export function reportStatus(
  expected: ExpectedDeployment,
  seen: Observation,
  leftovers: readonly LeftoverStatus[] = [],
): DeploymentStatus {
  const { topics, group } = expected.ingest;
  const ingest = topics.map((topic) => {
    const partitions = [...(seen.bounds.get(topic)?.keys() ?? [])].sort(ascending);
    return readingGroup(topic, group, partitions, seen);
  });
  const nodes = expected.nodes.map((node) => nodeStatus(node, expected, seen));
  const dead = seen.bounds.get(expected.deadTopic);
  return {
    ingest,
    nodes,
    leftovers,
    dead_letters: {
      topic: expected.deadTopic,
      records: dead === undefined ? null : sum([...dead.values()].map(({ low, high }) => Number(high - low))),
    },
    problems: problemsOf(expected, seen, ingest, nodes, leftovers),
  };
}

function nodeStatus(
  { node, url, groups }: ExpectedNode,
  expected: ExpectedDeployment,
  seen: Observation,
): NodeStatus {
  const topics = groups.map(({ topic, group, tasks }) => {
    const has = seen.bounds.get(topic);
    const readable = tasks.filter((task) => has?.has(task));
    const routes = expected.taskTopics.find((each) => each.topic === topic)?.routes ?? [];
    return { ...readingGroup(topic, group, readable, seen), routes, tasks };
  });
  return {
    node,
    url,
    tasks: sum(topics.map(({ tasks }) => tasks.length)),
    lag: sum(topics.map(({ lag }) => lag)),
    max_lag: Math.max(0, ...topics.map(({ max_lag }) => max_lag)),
    topics,
  };
}

function readingGroup(
  topic: string,
  group: string,
  partitions: readonly number[],
  seen: Observation,
): ReadingGroup {
  const { state, members: described } =
    seen.groups.get(group) ?? ({ state: 'Dead', members: [] } satisfies GroupDescription);
  const members = described.map(({ member, client, host, partitions: assigned }) => ({
    member,
    client,
    host,
    partitions: assigned.get(topic) ?? [],
  }));
  const bounds = seen.bounds.get(topic);
  const committed = seen.committed.get(group)?.get(topic) ?? new Map();
  const lags = partitions.map((partition): PartitionLag => {
    const reader = members.find((member) => member.partitions.includes(partition));
    return {
      partition,
      ...lagOf(bounds?.get(partition), committed, partition),
      member: reader?.member ?? null,
    };
  });
  return {
    topic,
    topic_exists: bounds !== undefined,
    group,
    state,
    members,
    partitions: lags,
    lag: sum(lags.map(({ lag }) => lag)),
    max_lag: Math.max(0, ...lags.map(({ lag }) => lag)),
    unread: lags.filter(({ member }) => member === null).map(({ partition }) => partition),
  };
}

/** A committed offset outside of what is kept counts from the oldest record, as the readers themselves begin there. */
function lagOf(
  { low, high }: OffsetBounds = { low: 0n, high: 0n },
  committed: CommittedOffsets,
  partition: number,
): Pick<PartitionLag, 'lag' | 'committed' | 'end'> {
  const offset = committed.get(partition);
  const from = offset === undefined || offset < low || offset > high ? low : offset;
  return {
    lag: Number(high - from),
    committed: offset === undefined ? null : Number(offset),
    end: Number(high),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function ascending(a: number, b: number): number {
  return a - b;
}
