import type { KafkaAdmin, OffsetBounds } from '../kafka/admin.ts';
import { describeGroups, type GroupDescription } from '../kafka/group-description.ts';
import type { ExpectedDeployment } from './expected.ts';

/** Next offset of a group by partition; those without a commit are left out. */
export type CommittedOffsets = ReadonlyMap<number, bigint>;

/** What Kafka says about a deployment at about one moment. */
export interface Observation {
  /** Offsets by partition of each topic that exists. */
  readonly bounds: ReadonlyMap<string, ReadonlyMap<number, OffsetBounds>>;
  /** By group. */
  readonly groups: ReadonlyMap<string, GroupDescription>;
  /** By group, then by topic. Topics that do not exist are left out. */
  readonly committed: ReadonlyMap<string, ReadonlyMap<string, CommittedOffsets>>;
}

/** Asks Kafka. Commits first, ends of partitions after them: a lag may be a moment too large, never negative. */
export async function observe(expected: ExpectedDeployment, admin: KafkaAdmin): Promise<Observation> {
  const { ingest, deadTopic, taskTopics, nodes } = expected;
  const workers = ingest.topics.map((topic) => ({ topic, group: ingest.group }));
  const readers = [...workers, ...nodes.flatMap(({ groups }) => groups)];
  const topics = [...ingest.topics, deadTopic, ...taskTopics.map(({ topic }) => topic)];
  const existing = [...(await admin.partitionCounts(topics)).keys()];
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
  const bounds = await Promise.all(
    existing.map(async (topic) => [topic, await admin.offsetBounds(topic)] as const),
  );
  return { bounds: new Map(bounds), groups, committed };
}
