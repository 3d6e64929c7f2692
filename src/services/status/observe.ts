import type { KafkaAdmin, OffsetBounds } from '../../io/kafka/admin/admin.ts';
import { describeGroups, type GroupDescription } from '../../io/kafka/admin/group-description.ts';
import type { TopicTrouble } from '../../io/kafka/topic/topic-trouble.ts';
import type { ExpectedDeployment } from './expected.ts';

/** Next offset of a group, by partition; partitions without a commit are left out. */
export type CommittedOffsets = ReadonlyMap<number, bigint>;

/** Snapshot of a deployment from Kafka; its parts are read moments apart. */
export interface Observation {
  /** Offsets by partition of each topic that can be read. */
  readonly bounds: ReadonlyMap<string, ReadonlyMap<number, OffsetBounds>>;
  /** Partitions of them with unknown offsets: without a leader, or with one that does not answer. */
  readonly unknown: ReadonlyMap<string, readonly number[]>;
  /** Faults of the topics that cannot be read. */
  readonly troubles: readonly TopicTrouble[];
  /** By group. */
  readonly groups: ReadonlyMap<string, GroupDescription>;
  /** By group, then by topic. Topics that do not exist are left out. */
  readonly committed: ReadonlyMap<string, ReadonlyMap<string, CommittedOffsets>>;
}

/** Reads commits first, ends of partitions after them: a lag may be a moment too large, never negative. */
export async function observe(expected: ExpectedDeployment, admin: KafkaAdmin): Promise<Observation> {
  const { ingest, deadTopic, taskTopics, nodes } = expected;
  const workers = ingest.topics.map((topic) => ({ topic, group: ingest.group }));
  const readers = [...workers, ...nodes.flatMap(({ groups }) => groups)];
  const topics = [...ingest.topics, deadTopic, ...taskTopics.map(({ topic }) => topic)];
  const states = await admin.topicStates(topics);
  const existing = topics.filter((topic) => states.get(topic)?.trouble === undefined);
  const groups = await describeGroups(
    admin,
    readers.map(({ group }) => group),
  );
  const committed = new Map<string, Map<string, CommittedOffsets>>();
  await Promise.all(
    readers
      .filter(({ topic }) => existing.includes(topic))
      .map(async ({ topic, group }) => {
        const offsets = await admin.committedOffsets(group, topic);
        committed.set(group, (committed.get(group) ?? new Map()).set(topic, offsets));
      }),
  );
  const known = await Promise.all(
    existing.map(async (topic) => [topic, await admin.knownBounds(topic)] as const),
  );
  return {
    bounds: new Map(known.map(([topic, { bounds }]) => [topic, bounds])),
    unknown: new Map(known.map(([topic, { unknown }]) => [topic, unknown])),
    troubles: [...states.values()].flatMap(({ trouble }) => trouble ?? []),
    groups,
    committed,
  };
}
