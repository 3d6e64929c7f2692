import { ofClient } from './boundary.ts';
import type { BrokerVersions } from './broker.ts';

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
  /** A code of `TOPIC_FAULTS` when the topic has no partitions; 0: no error. */
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

/** kafkajs' cluster, as far as it is used past the admin client. */
export interface Cluster {
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  readonly brokerPool: { readonly metadata: { readonly topicMetadata: readonly TopicMetadata[] } | null };
  /** Requests metadata of topics without changing this cluster's own; null: no broker answers. */
  metadata(of: {
    topics: readonly string[];
  }): Promise<{ readonly topicMetadata: readonly TopicMetadata[] } | null>;
  /** Sends ListOffsets to the leaders of these partitions. */
  fetchTopicsOffset(
    questions: readonly TopicQuestion[],
  ): Promise<
    { topic: string; partitions: readonly { readonly partition: number; readonly offset: string }[] }[]
  >;
}

/** kafkajs' connections to the brokers of a cluster. */
export interface BrokerPool {
  findBroker(node: {
    readonly nodeId: number;
  }): Promise<{ readonly brokerAddress: string; readonly versions: BrokerVersions | null }>;
}

const CLUSTER = Symbol('penstock.cluster');

/** Makes the cluster of kafkajs' admin client accessible: the client itself only handles whole topics. */
export function withCluster<Options extends { readonly cluster: Cluster }, Client extends object>(
  original: (options: Options) => Client,
): (options: Options) => Client {
  return (options) => Object.assign(original(options), { [CLUSTER]: ofClient(options.cluster) });
}

export function clusterOf(client: object): Cluster {
  return (client as { [CLUSTER]: Cluster })[CLUSTER];
}

export function brokersOf(client: object): BrokerPool {
  return (client as { [CLUSTER]: { readonly brokerPool: BrokerPool } })[CLUSTER].brokerPool;
}
