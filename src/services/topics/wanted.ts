import type { TopicsOptions } from './options.ts';

export type TopicPurpose = 'ingest' | 'tasks' | 'dead';

/**
 * Why a setting is wanted. `given`: its key is in the file or the environment. `default`: not configured, so it applies
 * to new topics only. `needed`: Penstock does not work with less; a topic that has more keeps it.
 */
export type Reason = 'given' | 'default' | 'needed';

export interface WantedSetting {
  readonly value: string;
  readonly reason: Reason;
  /** Configuration key that sets it; undefined: Penstock does. */
  readonly key?: string;
}

/** A topic as the configuration needs it. */
export interface WantedTopic {
  readonly topic: string;
  readonly purpose: TopicPurpose;
  readonly partitions: number;
  /** Why that many: of a task topic always `needed`, since a task is a partition. */
  readonly partitionsReason: Reason;
  /** 0: the broker's default. */
  readonly replicationFactor: number;
  /** Topic settings by Kafka's names. Those not named here are left to the operator. */
  readonly settings: Readonly<Record<string, WantedSetting>>;
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
  /** Whether the file or the environment gives a value at this path of keys. */
  readonly isGiven: (path: readonly string[]) => boolean;
}

/**
 * Settings of every new topic, whatever the cluster's defaults are. No compaction: it would delete records that were
 * never read. CreateTime in ingest topics: the broker's timestamps would hide when a record was produced. LogAppendTime
 * in the topics that Penstock writes: retention counts from the write, whatever a worker's clock says. On an existing
 * topic they are the operator's decision.
 */
function atCreation(purpose: TopicPurpose): Record<string, WantedSetting> {
  const time = purpose === 'ingest' ? 'CreateTime' : 'LogAppendTime';
  return {
    'cleanup.policy': { value: 'delete', reason: 'default' },
    'message.timestamp.type': { value: time, reason: 'default' },
  };
}

/** Ingest topics, task topics in the order of their routes, dead-letter topic. Routes may share a task topic. */
export function wantedTopics({ topics, ingest, routes, isGiven }: TopicSetup): WantedTopic[] {
  const { raw, tasks, dead } = topics;
  const replicationFactor = topics.replication_factor;
  const reasonFor = (...path: string[]): Reason => (isGiven(['topics', ...path]) ? 'given' : 'default');
  const by = (value: number, ...path: string[]): WantedSetting => ({
    value: String(value),
    reason: reasonFor(...path),
    key: ['topics', ...path].join('.'),
  });
  const settings = (purpose: TopicPurpose, retention: WantedSetting): Record<string, WantedSetting> => ({
    ...atCreation(purpose),
    'retention.ms': retention,
    ...(topics.min_insync_replicas > 0
      ? { 'min.insync.replicas': by(topics.min_insync_replicas, 'min_insync_replicas') }
      : {}),
  });
  const taskTopics = [...new Set(routes.map(({ topic }) => topic))].map((topic): WantedTopic => {
    const writers = routes.filter((route) => route.topic === topic);
    return {
      topic,
      purpose: 'tasks',
      partitions: Math.max(...writers.map(({ partitions }) => partitions)),
      partitionsReason: 'needed',
      replicationFactor,
      settings: {
        ...settings('tasks', by(tasks.retention, 'tasks', 'retention')),
        'max.message.bytes': by(tasks.max_message_bytes, 'tasks', 'max_message_bytes'),
      },
      tasks: writers.map(({ name, task }) => ({ route: name, count: task.count })),
    };
  });
  return [
    ...ingest.topics.map(
      (topic): WantedTopic => ({
        topic,
        purpose: 'ingest',
        partitions: raw.partitions,
        partitionsReason: reasonFor('raw', 'partitions'),
        replicationFactor,
        settings: settings('ingest', by(raw.retention, 'raw', 'retention')),
        tasks: [],
      }),
    ),
    ...taskTopics,
    {
      topic: ingest.deadTopic,
      purpose: 'dead',
      partitions: dead.partitions,
      partitionsReason: reasonFor('dead', 'partitions'),
      replicationFactor,
      settings: settings('dead', by(dead.retention, 'dead', 'retention')),
      tasks: [],
    },
  ];
}

export function settingsAtCreation(settings: WantedTopic['settings']): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([name, { value }]) => [name, value]));
}
