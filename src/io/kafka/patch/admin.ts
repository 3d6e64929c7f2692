import type { BrokerVersions } from '../broker-versions.ts';

/** Metadata of a partition. */
export interface PartitionMetadata {
  readonly partitionId: number;
  /** Node id; -1 where none leads it. */
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
}

export interface TopicMetadata {
  readonly topic: string;
  /** One of `TOPIC_FAULTS` where the topic has no partitions; 0: it is as it should be. */
  readonly topicErrorCode: number;
  readonly partitionMetadata: readonly PartitionMetadata[];
}

interface TopicQuestion {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number }[];
  readonly fromBeginning?: boolean;
  /** Milliseconds since the epoch. */
  readonly fromTimestamp?: number;
}

/** kafkajs' cluster, by what is asked of it past its admin client. */
export interface Cluster {
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  readonly brokerPool: { readonly metadata: { readonly topicMetadata: readonly TopicMetadata[] } | null };
  /** Asks brokers about topics, beside what this cluster knows; null: none of them answers. */
  metadata(of: {
    topics: readonly string[];
  }): Promise<{ readonly topicMetadata: readonly TopicMetadata[] } | null>;
  /** Asks the leaders, for each of these partitions and no others. */
  fetchTopicsOffset(
    questions: readonly TopicQuestion[],
  ): Promise<
    { topic: string; partitions: readonly { readonly partition: number; readonly offset: string }[] }[]
  >;
}

/** The brokers of a cluster, as kafkajs connects to them. */
export interface BrokerPool {
  findBroker(node: {
    readonly nodeId: number;
  }): Promise<{ readonly brokerAddress: string; readonly versions: BrokerVersions | null }>;
}

const CLUSTER = Symbol('penstock.cluster');

/** kafkajs' admin client, which can be asked for its cluster: by itself it asks about whole topics only. */
export function withCluster<Options extends { readonly cluster: Cluster }, Client extends object>(
  original: (options: Options) => Client,
): (options: Options) => Client {
  return (options) => Object.assign(original(options), { [CLUSTER]: options.cluster });
}

export function clusterOf(client: object): Cluster {
  return (client as { [CLUSTER]: Cluster })[CLUSTER];
}

export function brokersOf(client: object): BrokerPool {
  return (client as { [CLUSTER]: { readonly brokerPool: BrokerPool } })[CLUSTER].brokerPool;
}
