import type { GroupDescription } from '../../io/kafka/admin/group-description.ts';
import type { OffsetRange } from '../../io/kafka/range/range-reader.ts';
import type {
  DeploymentStatus,
  LeftoverStatus,
  NodeStatus,
  PartitionLag,
  ReadingGroup,
} from './deployment.ts';
import type { ExpectedDeployment, ExpectedNode } from './expected.ts';
import type { Observation } from './observe.ts';
import { problemsOf } from './problems.ts';

/** Optional input of a report, beside the observation itself. */
export interface Beside {
  readonly leftovers?: readonly LeftoverStatus[];
  /** An earlier observation, to tell progress. */
  readonly before?: { readonly seen: Observation; readonly secondsAgo: number };
  /** Age in seconds of the first record that waits, by `waitingId`. */
  readonly ages?: ReadonlyMap<string, number>;
  /** Answers of nodes, by name. */
  readonly answers?: ReadonlyMap<string, string>;
  /** Differences between topics and the configuration, one line each. */
  readonly drift?: readonly string[];
}

/** A partition is not stuck while its oldest record has waited for less. */
const WAITED_SECONDS = 10;
/** Most partitions of a topic whose oldest records are read for their age. */
const MOST_RANGES = 50;

/** Compares the deployment as configured with the one observed. */
export function reportStatus(
  expected: ExpectedDeployment,
  seen: Observation,
  beside: Beside = {},
): DeploymentStatus {
  const { leftovers = [] } = beside;
  const { topics, group } = expected.ingest;
  const ingest = topics.map((topic) => {
    const partitions = [...(seen.bounds.get(topic)?.keys() ?? [])].sort(ascending);
    return readingGroup(topic, group, partitions, seen, beside);
  });
  const nodes = expected.nodes.map((node) => nodeStatus(node, expected, seen, beside));
  const dead = seen.bounds.get(expected.deadTopic);
  return {
    ingest,
    nodes,
    leftovers,
    dead_letters: {
      topic: expected.deadTopic,
      records: dead === undefined ? null : sum([...dead.values()].map(({ low, high }) => Number(high - low))),
    },
    problems: problemsOf({ expected, seen, ingest, nodes, ...beside }),
  };
}

function nodeStatus(
  { node, url, groups }: ExpectedNode,
  expected: ExpectedDeployment,
  seen: Observation,
  beside: Beside,
): NodeStatus {
  const answer = beside.answers?.get(node);
  const topics = groups.map(({ topic, group, tasks }) => {
    const has = seen.bounds.get(topic);
    const readable = tasks.filter((task) => has?.has(task));
    const routes = expected.taskTopics.find((each) => each.topic === topic)?.routes ?? [];
    return { ...readingGroup(topic, group, readable, seen, beside), routes, tasks };
  });
  return {
    node,
    url,
    tasks: sum(topics.map(({ tasks }) => tasks.length)),
    lag: sum(topics.map(({ lag }) => lag)),
    max_lag: Math.max(0, ...topics.map(({ max_lag }) => max_lag)),
    ...(answer === undefined ? {} : { answer }),
    topics,
  };
}

function readingGroup(
  topic: string,
  group: string,
  partitions: readonly number[],
  seen: Observation,
  { before, ages }: Beside,
): ReadingGroup {
  const { state, members: described } =
    seen.groups.get(group) ?? ({ state: 'Dead', members: [] } satisfies GroupDescription);
  const members = described.map(({ member, client, host, partitions: assigned }) => ({
    member,
    client,
    host,
    partitions: assigned.get(topic) ?? [],
  }));
  const lags = partitions.map((partition): PartitionLag => {
    const reader = members.find((member) => member.partitions.includes(partition));
    return { partition, ...lagOf(seen, topic, group, partition), member: reader?.member ?? null };
  });
  const waiting = lags.filter(({ lag }) => lag > 0).map(({ partition }) => partition);
  const known = waiting.flatMap((partition) => ages?.get(waitingId(group, topic, partition)) ?? []);
  const isStuck = ({ partition, lag, committed, member }: PartitionLag) => {
    if (before === undefined || lag === 0 || member === null) return false;
    const earlier = lagOf(before.seen, topic, group, partition);
    const age = ages?.get(waitingId(group, topic, partition)) ?? WAITED_SECONDS;
    return earlier.lag > 0 && earlier.committed === committed && age >= WAITED_SECONDS;
  };
  return {
    topic,
    topic_exists: seen.bounds.has(topic),
    group,
    state,
    members,
    partitions: lags,
    lag: sum(lags.map(({ lag }) => lag)),
    max_lag: Math.max(0, ...lags.map(({ lag }) => lag)),
    lag_seconds: waiting.length === 0 ? 0 : known.length === 0 ? null : Math.max(...known),
    stuck: lags.filter(isStuck).map(({ partition }) => partition),
    unread: lags.filter(({ member }) => member === null).map(({ partition }) => partition),
  };
}

/** A committed offset out of range counts as the oldest record's: readers begin there too. */
function lagOf(
  seen: Observation,
  topic: string,
  group: string,
  partition: number,
): Pick<PartitionLag, 'lag' | 'committed' | 'end'> {
  const committed = seen.committed.get(group)?.get(topic)?.get(partition);
  const { from, to } = waitingRange(seen, topic, group, partition);
  return {
    lag: Number(to - from),
    committed: committed === undefined ? null : Number(committed),
    end: Number(to),
  };
}

/** The offsets of the records that wait in a partition. */
function waitingRange(seen: Observation, topic: string, group: string, partition: number): OffsetRange {
  const { low, high } = seen.bounds.get(topic)?.get(partition) ?? { low: 0n, high: 0n };
  const offset = seen.committed.get(group)?.get(topic)?.get(partition);
  return { from: offset === undefined || offset < low || offset > high ? low : offset, to: high };
}

/** Offsets of waiting records, by group and topic: the `MOST_RANGES` partitions with the most of them. */
export function waitingRanges(
  { ingest, nodes }: ExpectedDeployment,
  seen: Observation,
): { group: string; topic: string; ranges: Map<number, OffsetRange> }[] {
  const readers = [
    ...ingest.topics.map((topic) => ({ topic, group: ingest.group, tasks: undefined })),
    ...nodes.flatMap(({ groups }) => groups),
  ];
  return readers
    .map(({ group, topic, tasks }) => {
      const partitions = [...(seen.bounds.get(topic)?.keys() ?? [])].filter(
        (partition) => tasks?.includes(partition) ?? true,
      );
      const ranges = partitions
        .map((each): [number, OffsetRange] => [each, waitingRange(seen, topic, group, each)])
        .filter(([, { from, to }]) => to > from)
        .sort(([, a], [, b]) => Number(b.to - b.from - (a.to - a.from)))
        .slice(0, MOST_RANGES);
      return { group, topic, ranges: new Map(ranges) };
    })
    .filter(({ ranges }) => ranges.size > 0);
}

/** Key of a group's partition in `Beside.ages`. */
export function waitingId(group: string, topic: string, partition: number): string {
  return `${group}/${topic}/${partition}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function ascending(a: number, b: number): number {
  return a - b;
}
