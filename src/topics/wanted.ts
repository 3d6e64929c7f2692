import type { TopicsOptions } from '../topics-options.ts';

/** What a topic is for. */
export type TopicPurpose = 'ingest' | 'tasks' | 'dead';

/** A topic as the configuration needs it. */
export interface WantedTopic {
  readonly topic: string;
  readonly purpose: TopicPurpose;
  readonly partitions: number;
  /** 0: the broker's default. */
  readonly replicationFactor: number;
  /** Topic settings by Kafka's names. What is not named here is the operator's. */
  readonly settings: Readonly<Record<string, string>>;
  /** Of a task topic: the routes that write to it, and their numbers of tasks. */
  readonly tasks: readonly { readonly route: string; readonly count: number }[];
}

/** The part of the configuration that decides about topics. */
export interface TopicSetup {
  readonly topics: TopicsOptions;
  readonly ingest: { readonly topics: readonly string[]; readonly deadTopic: string };
  readonly routes: readonly {
    readonly name: string;
    readonly topic: string;
    readonly partitions: number;
    readonly task: { readonly count: number };
  }[];
}

/**
 * Task records keep the time of their source: what the ingest topic has taken their topic has to take, whenever it is
 * read. Kafka, which knows both settings
 * since 3.6, refuses times more than an hour ahead unless told otherwise.
 */
const KAFKAS_LARGEST = '9223372036854775807';
const ANY_TIME = {
  'message.timestamp.before.max.ms': KAFKAS_LARGEST,
  'message.timestamp.after.max.ms': KAFKAS_LARGEST,
};

/** Ingest topics, task topics in the order of their routes, dead-letter topic. Routes may share a task topic. */
export function wantedTopics({ topics, ingest, routes }: TopicSetup): WantedTopic[] {
  const { raw, tasks, dead } = topics;
  const shared = { replicationFactor: topics.replication_factor, tasks: [] };
  const settings = (retentionMs: number) => settingsOf(retentionMs, topics.min_insync_replicas);
  const taskTopics = [...new Set(routes.map(({ topic }) => topic))].map((topic): WantedTopic => {
    const writers = routes.filter((route) => route.topic === topic);
    return {
      ...shared,
      topic,
      purpose: 'tasks',
      partitions: Math.max(...writers.map(({ partitions }) => partitions)),
      settings: {
        ...settings(tasks.retention),
        ...ANY_TIME,
        'max.message.bytes': String(tasks.max_message_bytes),
      },
      tasks: writers.map(({ name, task }) => ({ route: name, count: task.count })),
    };
  });
  return [
    ...ingest.topics.map(
      (topic): WantedTopic => ({
        ...shared,
        topic,
        purpose: 'ingest',
        partitions: raw.partitions,
        settings: settings(raw.retention),
      }),
    ),
    ...taskTopics,
    {
      ...shared,
      topic: ingest.deadTopic,
      purpose: 'dead',
      partitions: dead.partitions,
      settings: settings(dead.retention),
    },
  ];
}

/**
 * Settings that all topics share. Compaction would take records that were never read, and the broker's own
 * timestamps would hide when a record was produced, whatever the cluster's defaults are.
 */
function settingsOf(retentionMs: number, minInSync: number): Record<string, string> {
  return {
    'cleanup.policy': 'delete',
    'message.timestamp.type': 'CreateTime',
    'retention.ms': String(retentionMs),
    ...(minInSync > 0 ? { 'min.insync.replicas': String(minInSync) } : {}),
  };
}
