import type { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import { describeGroups, type GroupDescription, mayHold } from '../../io/kafka/admin/group-description.ts';
import type { GroupWatch, OffsetSource } from '../../io/telemetry/group-gauges.ts';
import type { Metrics } from '../../io/telemetry/metrics.ts';
import { PartitionProgress } from '../../io/telemetry/partition-progress.ts';
import { epochMs, monotonicMs } from '../../io/time/clock.ts';
import type { ExpectedDeployment } from './expected.ts';

/** Interval of looks at Kafka; longer with very many groups, to bound the requests per second. */
const LOOK_MS = 15_000;
const LOOK_MS_A_GROUP = 50;

/** The part of Kafka that the watch needs. */
export interface WatchedCluster extends OffsetSource {
  describe(groupIds: readonly string[]): Promise<Map<string, GroupDescription>>;
  partitions(topic: string): Promise<number[]>;
  close(): Promise<void>;
}

/** Partitions of one group and topic that nobody reads. */
interface Unread extends GroupTask {
  readonly partitions: readonly number[];
}

/**
 * Reports the unread partitions of all groups of a deployment, and their lag; a partition that is read is reported by
 * its reader. One process reports at a time, so that nothing is counted twice: the first member of the first group, in
 * the order of the configuration, that has members. While the very first group has members, other processes describe it
 * alone.
 */
export class UnreadWatch implements GroupWatch {
  readonly #cluster: WatchedCluster;
  readonly #metrics: Metrics;
  readonly #progress: PartitionProgress;
  #tasks: readonly GroupTask[];
  #unread: readonly Unread[] = [];
  #memberIds: () => readonly string[] = () => [];
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(
    cluster: WatchedCluster,
    deployment: ExpectedDeployment,
    metrics: Metrics,
    now: () => number = monotonicMs,
    systemMs: () => number = epochMs,
  ) {
    this.#cluster = cluster;
    this.#tasks = groupTasks(deployment);
    this.#metrics = metrics;
    this.#progress = new PartitionProgress(Number.POSITIVE_INFINITY, now, systemMs);
  }

  /** Switches to another configuration. */
  expect(deployment: ExpectedDeployment): void {
    this.#tasks = groupTasks(deployment);
  }

  start(memberIds: () => readonly string[]): void {
    this.#memberIds = memberIds;
    this.#wait();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#cluster.close();
  }

  collect(): void {
    const { lag, lagSeconds, unread } = this.#metrics;
    unread.reset();
    for (const { group, topic, partitions } of this.#unread) {
      unread.set({ group, topic }, partitions.length);
      for (const partition of partitions) {
        const { records, seconds } = this.#progress.lag(idOf(group, topic, partition));
        if (records !== undefined) lag.set({ group, topic, partition }, records);
        if (seconds !== undefined) lagSeconds.set({ group, topic, partition }, seconds);
      }
    }
  }

  /** One look at Kafka. If it fails, nothing is reported. */
  async look(): Promise<void> {
    try {
      const groups = await this.#groupsToSpeakFor();
      this.#unread = groups === undefined ? [] : await this.#findUnread(groups);
      await this.#measure();
    } catch {
      this.#unread = [];
    }
  }

  #wait(): void {
    if (this.#stopped) return;
    const ms = Math.max(LOOK_MS, LOOK_MS_A_GROUP * this.#tasks.length);
    this.#timer = setTimeout(() => void this.look().finally(() => this.#wait()), ms).unref();
  }

  /** Descriptions of all groups if this process reports for them, else undefined. */
  async #groupsToSpeakFor(): Promise<Map<string, GroupDescription> | undefined> {
    const ids = [...new Set(this.#tasks.map(({ group }) => group))];
    const own = this.#memberIds();
    const [first] = ids;
    if (first === undefined || own.length === 0) return undefined;
    const described = await this.#cluster.describe([first]);
    if (described.get(first)!.members.length > 0 && !isSpeaker(described.get(first)!, own)) return undefined;
    const all = await this.#cluster.describe(ids);
    const leading = ids.map((id) => all.get(id)!).find(({ members }) => members.length > 0);
    return leading !== undefined && isSpeaker(leading, own) ? all : undefined;
  }

  async #findUnread(groups: ReadonlyMap<string, GroupDescription>): Promise<Unread[]> {
    const found = this.#tasks.map(async ({ group, topic, partitions }): Promise<Unread | undefined> => {
      const wanted = partitions ?? (await this.#cluster.partitions(topic));
      const unread = unreadPartitions(groups.get(group)!, topic, wanted);
      return unread && { group, topic, partitions: unread };
    });
    return (await Promise.all(found)).filter((each) => each !== undefined);
  }

  async #measure(): Promise<void> {
    const behind = this.#unread.filter(({ partitions }) => partitions.length > 0);
    this.#progress.keepOnly(
      new Set(
        behind.flatMap(({ group, topic, partitions }) => partitions.map((each) => idOf(group, topic, each))),
      ),
    );
    for (const { group, topic, partitions } of behind) {
      const committed = await this.#cluster.committedOffsets(group, topic);
      const { bounds } = await this.#cluster.knownBounds(topic, partitions);
      for (const [partition, { low, high }] of bounds) {
        const offset = committed.get(partition);
        const from = offset === undefined || offset < low || offset > high ? low : offset;
        this.#progress.told(idOf(group, topic, partition), from, high);
      }
    }
  }
}

/** Adapts an admin client, which `close` closes: the watch needs one of its own. */
export function watchedCluster(admin: KafkaAdmin): WatchedCluster {
  return {
    describe: (groupIds) => describeGroups(admin, groupIds),
    partitions: async (topic) => {
      const count = (await admin.partitionCounts([topic])).get(topic) ?? 0;
      return Array.from({ length: count }, (_, partition) => partition);
    },
    committedOffsets: (groupId, topic) => admin.committedOffsets(groupId, topic),
    knownBounds: (topic, partitions) => admin.knownBounds(topic, partitions),
    close: () => admin.close(),
  };
}

function idOf(group: string, topic: string, partition: number): string {
  return `${group}/${topic}/${partition}`;
}

/** A group and the partitions of a topic that it has to read. */
interface GroupTask {
  readonly group: string;
  readonly topic: string;
  /** Undefined: all of the topic. */
  readonly partitions?: readonly number[];
}

/** Topics and partitions that each group has to read, the workers' group first. */
function groupTasks({ ingest, nodes }: ExpectedDeployment): GroupTask[] {
  return [
    ...ingest.topics.map((topic) => ({ group: ingest.group, topic })),
    ...nodes.flatMap(({ groups }) =>
      groups.map(({ group, topic, tasks }) => ({ group, topic, partitions: tasks })),
    ),
  ];
}

/**
 * Whether `memberIds` has the member that reports partitions which nobody reads: the first of the group, by id. Every
 * process that describes the group comes to the same answer.
 */
function isSpeaker({ members }: GroupDescription, memberIds: readonly string[]): boolean {
  const [first] = members.map(({ member }) => member).sort();
  return first !== undefined && memberIds.includes(first);
}

/**
 * Those of `partitions` that no member of the group holds or may still work on. Undefined while the assignment is
 * unknown, as in a rebalance.
 */
function unreadPartitions(
  group: GroupDescription,
  topic: string,
  partitions: readonly number[],
): number[] | undefined {
  if (group.members.length > 0 && group.state !== 'Stable') return undefined;
  return partitions.filter((partition) => !mayHold(group, topic, partition));
}
