import type { ClusterTopics } from '../../io/kafka/admin/topic-admin.ts';
import { formatDuration } from './consequence.ts';
import type { WantedTopic } from './wanted.ts';

/** Largest message.timestamp.after.max.ms that is not warned of; the default of Kafka 4 is an hour. */
const FAR_AHEAD_MS = 86_400_000;

/**
 * Warnings from comparing a topic's retention with that of other topics and of committed offsets: records may be
 * deleted before they are read, stay for ever, or be read twice.
 */
export function retentionNotes(
  wanted: WantedTopic,
  all: readonly WantedTopic[],
  cluster: ClusterTopics,
): string[] {
  return [
    ...shorterThanIngest(wanted, all, cluster),
    ...bySize(wanted, cluster),
    ...keptForEver(wanted, cluster),
    ...longerThanOffsets(wanted, cluster),
  ];
}

/** A worker may be away for as long as the ingest topic keeps records, a node for as long as its task topic does. */
function shorterThanIngest(
  wanted: WantedTopic,
  all: readonly WantedTopic[],
  cluster: ClusterTopics,
): string[] {
  if (wanted.purpose !== 'tasks') return [];
  const ms = retentionMs(wanted, cluster);
  const longer = all.find((other) => other.purpose === 'ingest' && retentionMs(other, cluster) > ms);
  if (longer === undefined) return [];
  return [
    `it keeps records ${lasting(ms)} and ${longer.topic} ${lasting(retentionMs(longer, cluster))}: what a node does not read within ` +
      `${formatDuration(ms)} after it was written is lost to it, though ${longer.topic} still has it`,
  ];
}

function bySize({ topic, purpose }: WantedTopic, { topics }: ClusterTopics): string[] {
  const bytes = Number(topics.get(topic)?.settings.get('retention.bytes') ?? -1);
  if (bytes < 0 || purpose === 'dead') return [];
  return [
    `retention.bytes is ${bytes}: a partition that is larger loses its oldest records, read or not, before retention.ms is over`,
  ];
}

/** Kafka deletes segments in order, each once its newest record is too old. */
function keptForEver({ topic }: WantedTopic, { topics }: ClusterTopics): string[] {
  const settings = topics.get(topic)?.settings;
  const aheadMs = Number(settings?.get('message.timestamp.after.max.ms') ?? 0);
  if (settings?.get('message.timestamp.type') === 'LogAppendTime' || aheadMs <= FAR_AHEAD_MS) return [];
  return [
    'message.timestamp.after.max.ms takes records with a time far ahead, and one of them keeps its segment, and all behind ' +
      'it, until that time has passed: expected 3600000, as in Kafka 4, or message.timestamp.type LogAppendTime',
  ];
}

/** A group that is away for longer than its offsets are kept begins again at the oldest record. */
function longerThanOffsets(wanted: WantedTopic, cluster: ClusterTopics): string[] {
  const { offsetsRetentionMs } = cluster;
  const ms = retentionMs(wanted, cluster);
  if (wanted.purpose === 'dead' || offsetsRetentionMs === undefined || ms <= offsetsRetentionMs) return [];
  const remembered = formatDuration(offsetsRetentionMs);
  return [
    `it keeps records ${lasting(ms)}, and brokers forget what a group has committed ${remembered} ` +
      'after its last member has left (offsets.retention.minutes): readers that are away for longer read what is kept again',
  ];
}

/**
 * Retention after the plan is done, in ms: as given, else as the topic has it, else the default. Infinity: for ever.
 */
function retentionMs({ topic, settings }: WantedTopic, { topics }: ClusterTopics): number {
  const wanted = settings['retention.ms'];
  const has = topics.get(topic)?.settings.get('retention.ms');
  const ms = Number(has !== undefined && wanted?.reason !== 'given' ? has : (wanted?.value ?? -1));
  return ms < 0 ? Number.POSITIVE_INFINITY : ms;
}

function lasting(ms: number): string {
  return Number.isFinite(ms) ? `for ${formatDuration(ms)}` : 'for ever';
}
