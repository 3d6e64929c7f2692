import type { ClusterTopics, TopicState } from '../kafka/topic-admin.ts';
import type { WantedTopic } from './wanted.ts';

/** One setting of a topic; `from` is undefined where the cluster does not know it. */
export interface SettingChange {
  readonly name: string;
  readonly from: string | undefined;
  readonly to: string;
}

/** One step towards what the configuration needs. None deletes anything. */
export type TopicChange =
  | {
      readonly action: 'create';
      readonly topic: string;
      readonly partitions: number;
      /** 0: the broker's default. */
      readonly replication_factor: number;
      readonly settings: Readonly<Record<string, string>>;
    }
  | { readonly action: 'grow'; readonly topic: string; readonly from: number; readonly to: number }
  | { readonly action: 'alter'; readonly topic: string; readonly settings: readonly SettingChange[] };

/** What one topic has, needs, and what follows. */
export interface TopicPlan {
  readonly topic: string;
  readonly purpose: WantedTopic['purpose'];
  /** Partitions that it has; undefined while it does not exist. */
  readonly partitions: number | undefined;
  readonly wanted: number;
  readonly changes: readonly TopicChange[];
  /** What an operator should know before it is done. */
  readonly warnings: readonly string[];
  /** Why the configuration cannot be had on this topic; then nothing of the whole plan is to be done. */
  readonly refusals: readonly string[];
}

/** Room that the headers of a dead letter take beside the record as received, in bytes. */
const DEAD_LETTER_ROOM = 64 * 1024;

/** Compares what the configuration needs with what the cluster has. */
export function planTopics(wanted: readonly WantedTopic[], cluster: ClusterTopics): TopicPlan[] {
  return wanted.map((topic) => planTopic(topic, settingsOf(topic, wanted, cluster), cluster));
}

function planTopic(
  wanted: WantedTopic,
  settings: Readonly<Record<string, string>>,
  { topics }: ClusterTopics,
): TopicPlan {
  const { topic, purpose, partitions } = wanted;
  const state = topics.get(topic);
  if (state === undefined) {
    const create = {
      action: 'create',
      topic,
      partitions,
      replication_factor: wanted.replicationFactor,
      settings,
    } as const;
    return {
      topic,
      purpose,
      partitions: undefined,
      wanted: partitions,
      changes: [create],
      warnings: [],
      refusals: [],
    };
  }
  const changes: TopicChange[] = [];
  if (partitions > state.partitions) {
    changes.push({ action: 'grow', topic, from: state.partitions, to: partitions });
  }
  const altered = Object.entries(settings)
    .map(([name, to]) => ({ name, from: state.settings.get(name), to }))
    .filter(
      ({ name, from, to }) => from !== to && !(name === 'max.message.bytes' && suffices(wanted, from, to)),
    );
  if (altered.length > 0) changes.push({ action: 'alter', topic, settings: altered });
  return {
    topic,
    purpose,
    partitions: state.partitions,
    wanted: partitions,
    changes,
    warnings: warningsOf(wanted, state),
    refusals: refusalsOf(wanted, state),
  };
}

/** The dead-letter topic may take larger records than it has to; a task topic's limit is exact. */
function suffices({ purpose }: WantedTopic, has: string | undefined, needs: string): boolean {
  return purpose === 'dead' && has !== undefined && Number(has) >= Number(needs);
}

/** The topic's own settings; for dead letters also the size that any record of the other topics fits into. */
function settingsOf(
  { purpose, settings }: WantedTopic,
  wanted: readonly WantedTopic[],
  { topics, defaultMaxMessageBytes }: ClusterTopics,
): Readonly<Record<string, string>> {
  if (purpose !== 'dead') return settings;
  const sizes = wanted
    .filter((other) => other.purpose !== 'dead')
    .map((other) =>
      Number(
        other.settings['max.message.bytes'] ??
          topics.get(other.topic)?.settings.get('max.message.bytes') ??
          defaultMaxMessageBytes,
      ),
    );
  // Kafka holds the limit as a signed 32-bit number.
  const needed = Math.min(Math.max(...sizes) + DEAD_LETTER_ROOM, 0x7fff_ffff);
  return { ...settings, 'max.message.bytes': String(needed) };
}

function warningsOf(
  { purpose, partitions, replicationFactor, tasks }: WantedTopic,
  state: TopicState,
): string[] {
  const warnings: string[] = [];
  const grows = partitions > state.partitions;
  if (grows && purpose === 'ingest') {
    warnings.push(
      'with more partitions a key may go to another one: records of one key, before and after, are not in order',
    );
  }
  for (const { route, count } of tasks) {
    if (count <= state.partitions) continue;
    warnings.push(
      `route ${route} has ${count} tasks and at most ${state.partitions} so far: growing task.count moves groups to ` +
        `other tasks; with the old configuration, penstock explain --simulate count=${count} shows how many`,
    );
  }
  if (replicationFactor > 0 && replicationFactor !== state.replicationFactor) {
    warnings.push(
      `it has ${state.replicationFactor} replicas and ${replicationFactor} are configured: Penstock does not move ` +
        'replicas, kafka-reassign-partitions does',
    );
  }
  return warnings;
}

function refusalsOf({ purpose, partitions, settings, tasks }: WantedTopic, state: TopicState): string[] {
  const refusals: string[] = [];
  if (partitions < state.partitions) {
    const keys = {
      ingest: 'topics.raw.partitions',
      dead: 'topics.dead.partitions',
      tasks: `partitions of ${tasks.map(({ route }) => `route ${route}`).join(' and ')}`,
    };
    refusals.push(
      `it has ${state.partitions} partitions and ${partitions} are configured: Kafka cannot take partitions away; ` +
        `set ${keys[purpose]} to ${state.partitions}`,
    );
  }
  const inSync = Number(settings['min.insync.replicas'] ?? 0);
  if (inSync > state.replicationFactor) {
    refusals.push(
      `it has ${state.replicationFactor} replicas, so ${inSync} in sync can never be met and every write would fail; ` +
        'lower topics.min_insync_replicas, or add replicas first',
    );
  }
  return refusals;
}
