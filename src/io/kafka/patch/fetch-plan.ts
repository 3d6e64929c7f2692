import type { Cluster } from './cluster.ts';

/** kafkajs' consumer group, by what decides which broker is asked for which partitions. */
export interface FetchingGroup {
  readonly cluster: Cluster;
  /** By topic the partitions at the last join; another object after each. */
  readonly partitionsPerSubscribedTopic: ReadonlyMap<string, readonly number[]> | null;
  /** By topic and partition: replicas other than the leader that brokers have told to ask. */
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
 * kafkajs' consumer group, in which a fetch does not go through all partitions of a topic: whether it has grown is found
 * out when there are other metadata, and who leads a partition is found at once (cluster.ts).
 *
 * The original does both at each fetch, in a time that grows with the square of the topic's partitions: 45 ms with
 * 10,000.
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

/** The difference of two lists, in the order of the first. kafkajs' own takes the product of their lengths. */
export function arrayDifference<T>(from: readonly T[], without: readonly T[]): T[] {
  const known = new Set(without);
  return from.filter((each) => !known.has(each));
}
