interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

interface PartitionMetadata {
  readonly partitionId: number;
  readonly leader: number | null;
}

/** kafkajs' consumer group, by what decides which broker is asked for which partitions. */
export interface FetchingGroup {
  readonly cluster: {
    /** `metadata` is another object after each refresh. */
    readonly brokerPool: { readonly metadata: object | null };
    findTopicPartitionMetadata(topic: string): readonly PartitionMetadata[];
  };
  /** Another object after each assignment. */
  readonly subscriptionState: {
    readonly assignedPartitionsByTopic: Readonly<Record<string, TopicPartitions>>;
  };
  /** By topic the partitions at the last join; another object after each. */
  readonly partitionsPerSubscribedTopic: ReadonlyMap<string, readonly number[]> | null;
  /** By topic and partition: replicas other than the leader that brokers have told to ask. */
  readonly preferredReadReplicasPerTopicPartition: Readonly<
    Record<string, Readonly<Record<number, unknown>>>
  >;
  checkForStaleAssignment(): void;
  filterPartitionsByNode(nodeId: string, topicPartitions: TopicPartitions[]): TopicPartitions[];
}

/**
 * kafkajs' consumer group, in which what does not change from fetch to fetch is worked out once: whether a topic has
 * grown, and which broker leads which partition.
 *
 * The original does both at each fetch, in a time that grows with the square of the topic's partitions: 45 ms with
 * 10,000.
 */
export function plannedFetches<Group extends new (...args: never[]) => FetchingGroup>(
  Original: Group,
): Group {
  const Base = Original as unknown as new (...args: never[]) => FetchingGroup;
  return class PlannedFetches extends Base {
    #checked: readonly [metadata: unknown, joined: unknown] = [undefined, undefined];
    #planned: readonly [metadata: unknown, assigned: unknown] = [undefined, undefined];
    /** By broker, and by topic, the partitions that it leads. */
    #plan: ReadonlyMap<number, ReadonlyMap<string, readonly number[]>> = new Map();

    override checkForStaleAssignment(): void {
      const basis = [this.cluster.brokerPool.metadata, this.partitionsPerSubscribedTopic] as const;
      if (isSame(basis, this.#checked)) return;
      super.checkForStaleAssignment();
      this.#checked = basis;
    }

    override filterPartitionsByNode(nodeId: string, topicPartitions: TopicPartitions[]): TopicPartitions[] {
      if (this.#hasPreferredReplicas()) return super.filterPartitionsByNode(nodeId, topicPartitions);
      const basis = [
        this.cluster.brokerPool.metadata,
        this.subscriptionState.assignedPartitionsByTopic,
      ] as const;
      if (!isSame(basis, this.#planned)) {
        this.#plan = planFetches(this.cluster, topicPartitions);
        this.#planned = basis;
      }
      const led = this.#plan.get(Number(nodeId));
      return topicPartitions.map(({ topic }) => ({ topic, partitions: led?.get(topic) ?? [] }));
    }

    #hasPreferredReplicas(): boolean {
      for (const topic in this.preferredReadReplicasPerTopicPartition) {
        for (const _ in this.preferredReadReplicasPerTopicPartition[topic]) return true;
      }
      return false;
    }
  } as unknown as Group;
}

/** The difference of two lists, in the order of the first. kafkajs' own takes the product of their lengths. */
export function arrayDifference<T>(from: readonly T[], without: readonly T[]): T[] {
  const known = new Set(without);
  return from.filter((each) => !known.has(each));
}

function planFetches(
  cluster: FetchingGroup['cluster'],
  assigned: readonly TopicPartitions[],
): Map<number, Map<string, number[]>> {
  const plan = new Map<number, Map<string, number[]>>();
  for (const { topic, partitions } of assigned) {
    const leaders = new Map(
      cluster.findTopicPartitionMetadata(topic).map(({ partitionId, leader }) => [partitionId, leader]),
    );
    for (const partition of partitions) {
      const leader = leaders.get(partition);
      if (leader === undefined || leader === null) continue;
      const led = plan.get(leader) ?? new Map<string, number[]>();
      plan.set(leader, led);
      const list = led.get(topic) ?? [];
      led.set(topic, list);
      list.push(partition);
    }
  }
  return plan;
}

function isSame(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.every((each, at) => each === other[at]);
}
