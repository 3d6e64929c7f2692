/** kafkajs' consumer group, as far as it assigns partitions to the brokers to fetch from. */
export interface FetchingGroup {
  readonly cluster: Cluster;
  /** Partitions by topic as of the last join; a new object after each join. */
  readonly partitionsPerSubscribedTopic: ReadonlyMap<string, readonly number[]> | null;
  /** Preferred read replicas that brokers have named, by topic and partition. */
  readonly preferredReadReplicasPerTopicPartition: Readonly<
    Record<string, Readonly<Record<number, unknown>>>
  >;
  checkForStaleAssignment(): void;
  findReadReplicaForPartitions(
    topic: string,
    partitions: readonly number[],
  ): Record<string, readonly number[]>;
}

/**
 * kafkajs' consumer group, in which a fetch does not scan all partitions of a topic: growth is checked only after a
 * metadata refresh or a join, and leaders come from an index (patchCluster).
 *
 * The original does both at each fetch, in time quadratic in the topic's partitions: 45 ms with 10,000.
 */
export function patchFetches<Group extends new (...args: never[]) => FetchingGroup>(Original: Group): Group {
  const Base = Original as unknown as new (...args: never[]) => FetchingGroup;
  return class PlannedFetches extends Base {
    #checked: readonly [metadata: unknown, joined: unknown] = [undefined, undefined];

    override checkForStaleAssignment(): void {
      const { metadata } = this.cluster.brokerPool;
      const joined = this.partitionsPerSubscribedTopic;
      if (this.#checked[0] === metadata && this.#checked[1] === joined) return;
      super.checkForStaleAssignment();
      this.#checked = [metadata, joined];
    }

    override findReadReplicaForPartitions(topic: string, partitions: readonly number[]) {
      const preferred = this.preferredReadReplicasPerTopicPartition[topic];
      for (const _ in preferred) return super.findReadReplicaForPartitions(topic, partitions);
      return this.cluster.findLeaderForPartitions(topic, partitions);
    }
  } as unknown as Group;
}

/** Difference of two lists, in the order of the first. kafkajs' own takes time in the product of their lengths. */
export function arrayDifference<T>(from: readonly T[], without: readonly T[]): T[] {
  const known = new Set(without);
  return from.filter((each) => !known.has(each));
}

interface PartitionMetadata {
  readonly partitionId: number;
  readonly leader: number | null;
}

export interface Cluster {
  /** `metadata` is another object after each refresh. */
  readonly brokerPool: { readonly metadata: object | null };
  findTopicPartitionMetadata(topic: string): readonly PartitionMetadata[];
  findLeaderForPartitions(
    topic: string,
    partitions: readonly (number | string)[],
  ): Record<string, readonly number[]>;
}

/**
 * kafkajs' cluster with an index of partition leaders. The original scans all partitions of the topic for each one
 * asked for, and copies its result each time: 0.6 s for 10,000 partitions, at each request for their offsets.
 */
export function patchCluster<Original extends new (...args: never[]) => Cluster>(
  OriginalCluster: Original,
): Original {
  const Base = OriginalCluster as unknown as new (...args: never[]) => Cluster;
  return class IndexedLeaders extends Base {
    #metadata: object | null = null;
    #leaders = new Map<string, ReadonlyMap<number, number | null>>();

    override findLeaderForPartitions(topic: string, partitions: readonly (number | string)[]) {
      const leaders = this.#leadersOf(topic);
      const led: Record<string, number[]> = {};
      for (const id of partitions) {
        const partition = Number(id);
        const leader = leaders.get(partition);
        if (leader === undefined) continue;
        if (leader === null) return super.findLeaderForPartitions(topic, partitions); // throws: invalid metadata
        (led[leader] ??= []).push(partition);
      }
      return led;
    }

    #leadersOf(topic: string): ReadonlyMap<number, number | null> {
      const { metadata } = this.brokerPool;
      if (metadata !== this.#metadata) this.#leaders.clear();
      this.#metadata = metadata;
      const known = this.#leaders.get(topic);
      if (known !== undefined) return known;
      const leaders = new Map(
        this.findTopicPartitionMetadata(topic).map(({ partitionId, leader }) => [partitionId, leader]),
      );
      this.#leaders.set(topic, leaders);
      return leaders;
    }
  } as unknown as Original;
}
