import type { ClusterTopics, TopicState } from '../../io/kafka/admin/topic-admin.ts';
import { consequenceOf, formatDuration, type TopicContents } from './consequence.ts';
import { retentionNotes } from './retention-notes.ts';
import { settingsAtCreation, type WantedSetting, type WantedTopic } from './wanted.ts';

/** One setting of a topic; `from` is undefined where the cluster does not know it. */
export interface SettingChange {
  readonly name: string;
  readonly from: string | undefined;
  readonly to: string;
  /** Effect on the records in the topic and on those to come. */
  readonly means: string;
  /** True if it deletes records, or refuses records that were accepted so far. */
  readonly takes_records: boolean;
}

/** One step towards what the configuration needs. None deletes a topic or a partition. */
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

/** State of one topic, the changes it needs, and their risks. */
export interface TopicPlan {
  readonly topic: string;
  readonly purpose: WantedTopic['purpose'];
  /** Partitions that it has; undefined while it does not exist. */
  readonly partitions: number | undefined;
  /** Partitions that it has once the plan is done. */
  readonly target: number;
  readonly changes: readonly TopicChange[];
  /** For the operator to know before the plan is done. */
  readonly warnings: readonly string[];
  /** The warnings about settings that may cost records as the topic is now. */
  readonly hazards: readonly string[];
  /** Why the plan cannot be done on this topic. Any refusal stops the whole plan. */
  readonly refusals: readonly string[];
}

export interface PlanOptions {
  /** Permits alterations that delete or refuse records, if they are configured. */
  readonly allowShrink?: boolean;
  /** What is known of the records, by topic. */
  readonly contents?: ReadonlyMap<string, TopicContents>;
}

/** Room for the headers of a dead letter beside the record as received, in bytes. */
const DEAD_LETTER_ROOM = 64 * 1024;
const SIZE = 'max.message.bytes';

/** Dangerous values of settings on topics that Penstock did not create, with the warning for each. */
const HAZARDS: Readonly<Record<string, (has: string) => string | undefined>> = {
  'cleanup.policy': (has) =>
    has.includes('compact')
      ? `cleanup.policy is ${has}: compaction takes records that were not read yet, and refuses records without a key`
      : undefined,
};

const LEFT_ALONE = 'Penstock leaves it as it is, kafka-configs alters it';

/** Compares what the configuration needs with what the cluster has. */
export function planTopics(
  wanted: readonly WantedTopic[],
  cluster: ClusterTopics,
  options: PlanOptions = {},
): TopicPlan[] {
  const all = wanted.map((topic) => ({ ...topic, settings: settingsOf(topic, wanted, cluster) }));
  return all.map((topic) => {
    const plan = planTopic(topic, cluster, options);
    return { ...plan, warnings: [...plan.warnings, ...retentionNotes(topic, all, cluster)] };
  });
}

function planTopic(wanted: WantedTopic, { topics }: ClusterTopics, options: PlanOptions): TopicPlan {
  const { topic, purpose, partitions, settings } = wanted;
  const state = topics.get(topic);
  if (state === undefined) {
    const replication_factor = wanted.replicationFactor;
    return {
      topic,
      purpose,
      partitions: undefined,
      target: partitions,
      changes: [
        { action: 'create', topic, partitions, replication_factor, settings: settingsAtCreation(settings) },
      ],
      warnings: [],
      hazards: [],
      refusals: [],
    };
  }
  const target =
    wanted.partitionsReason === 'default' ? state.partitions : Math.max(state.partitions, partitions);
  const changes: TopicChange[] = [];
  if (target > state.partitions) changes.push({ action: 'grow', topic, from: state.partitions, to: target });
  const altered = alterations(wanted, state, options.contents?.get(topic) ?? {});
  if (altered.length > 0) changes.push({ action: 'alter', topic, settings: altered });
  return {
    topic,
    purpose,
    partitions: state.partitions,
    target,
    changes,
    warnings: [...warningsOf(wanted, state, target), ...keptSettings(wanted, state)],
    hazards: hazardsOf(wanted, state),
    refusals: [
      ...impossible(wanted, state),
      ...(options.allowShrink === true ? [] : shrinks(wanted, altered)),
    ],
  };
}

/** Settings to alter. A default alters nothing; a needed value only a smaller one. */
function alterations({ settings }: WantedTopic, state: TopicState, contents: TopicContents): SettingChange[] {
  return Object.entries(settings).flatMap(([name, { value: to, reason }]) => {
    const from = state.settings.get(name);
    if (reason === 'default' || from === to) return [];
    if (reason === 'needed' && from !== undefined && Number(from) >= Number(to)) return [];
    const { text, takesRecords } = consequenceOf(name, from, to, contents);
    return [{ name, from, to, means: text, takes_records: takesRecords }];
  });
}

function shrinks({ settings }: WantedTopic, altered: readonly SettingChange[]): string[] {
  return altered
    .filter(({ takes_records }) => takes_records)
    .map(({ name, from, to, means }) => {
      const { key } = settings[name]!;
      return (
        `${name} is ${from ?? 'unknown'} and ${to} is configured: ${means}; ` +
        `give --allow-shrink if that is meant, else change ${key ?? 'the topic'}`
      );
    });
}

/** Warnings about settings that differ from the configuration's defaults: they stay as they are. */
function keptSettings({ settings }: WantedTopic, state: TopicState): string[] {
  return Object.entries(settings).flatMap(([name, setting]) => {
    const has = state.settings.get(name);
    if (setting.reason !== 'default' || has === undefined || has === setting.value) return [];
    const hazard = HAZARDS[name]?.(has);
    if (hazard !== undefined) return [`${hazard}; ${LEFT_ALONE}`];
    return setting.key === undefined ? [] : [keptByDefault(name, has, setting.value, setting.key)];
  });
}

function hazardsOf({ settings }: WantedTopic, state: TopicState): string[] {
  return Object.entries(settings).flatMap(([name, { value }]) => {
    const has = state.settings.get(name);
    const hazard = has === undefined || has === value ? undefined : HAZARDS[name]?.(has);
    return hazard === undefined ? [] : [`${hazard}; ${LEFT_ALONE}`];
  });
}

function keptByDefault(name: string, has: string, value: string, key: string): string {
  const shown = (text: string) => (name.endsWith('.ms') ? `${text} (${formatDuration(Number(text))})` : text);
  return `${name} stays ${shown(has)}: ${key} is not configured, and its default, ${shown(value)}, is for new topics`;
}

/** The topic's own settings; for dead letters also a size limit that fits any record of the other topics. */
function settingsOf(
  { purpose, settings }: WantedTopic,
  wanted: readonly WantedTopic[],
  cluster: ClusterTopics,
): Readonly<Record<string, WantedSetting>> {
  if (purpose !== 'dead') return settings;
  const sizes = wanted
    .filter((other) => other.purpose !== 'dead')
    .map((other) => largestRecord(other, cluster));
  // Kafka holds the limit as a signed 32-bit number.
  const needed = Math.min(Math.max(...sizes) + DEAD_LETTER_ROOM, 0x7fff_ffff);
  return { ...settings, [SIZE]: { value: String(needed), reason: 'needed' } };
}

/** Largest record that a topic takes, before or after the plan is done. */
function largestRecord(
  { topic, settings }: WantedTopic,
  { topics, defaultMaxMessageBytes }: ClusterTopics,
): number {
  const has = topics.get(topic)?.settings.get(SIZE);
  const configured = settings[SIZE];
  if (configured === undefined) return Number(has ?? defaultMaxMessageBytes);
  if (has === undefined) return Number(configured.value);
  return configured.reason === 'default' ? Number(has) : Math.max(Number(has), Number(configured.value));
}

function warningsOf(wanted: WantedTopic, state: TopicState, target: number): string[] {
  const { purpose, replicationFactor, tasks } = wanted;
  const warnings: string[] = [];
  if (target > state.partitions && purpose === 'ingest') {
    warnings.push(
      'with more partitions a key may go to another one: records of one key, before and after, are not in order',
    );
  }
  warnings.push(...morePartitions(wanted, state));
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

/** Warns of more partitions than configured: Kafka cannot remove any. Of ingest and dead-letter topics all are read. */
function morePartitions(
  { purpose, partitions, partitionsReason, tasks }: WantedTopic,
  state: TopicState,
): string[] {
  if (partitions >= state.partitions || partitionsReason === 'default') return [];
  const has = `it has ${state.partitions} partitions and ${partitions} are configured`;
  if (purpose !== 'tasks') return [`${has}: it keeps them, all are read and nothing is lost`];
  const count = Math.max(...tasks.map((each) => each.count));
  return [
    `${has}: it keeps them. Partitions from ${count} on belong to no task: records that a larger task.count has written ` +
      'to them and no drain has read yet are not read while the count is smaller',
  ];
}

function impossible({ settings }: WantedTopic, state: TopicState): string[] {
  const inSync = Number(settings['min.insync.replicas']?.value ?? 0);
  if (inSync <= state.replicationFactor) return [];
  return [
    `it has ${state.replicationFactor} replicas, so ${inSync} in sync can never be met and every write would fail; ` +
      'lower topics.min_insync_replicas, or add replicas first',
  ];
}
