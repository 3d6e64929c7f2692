import { type GroupDescription, mayHold } from '../../io/kafka/admin/group-description.ts';
import type { ExpectedDeployment } from './expected.ts';

/** A group and the partitions of a topic that it has to read. */
export interface GroupTask {
  readonly group: string;
  readonly topic: string;
  /** Undefined: all of the topic. */
  readonly partitions?: readonly number[];
}

/** Topics and partitions that each group has to read, the workers' group first. */
export function groupTasks({ ingest, nodes }: ExpectedDeployment): GroupTask[] {
  return [
    ...ingest.topics.map((topic) => ({ group: ingest.group, topic })),
    ...nodes.flatMap(({ groups }) =>
      groups.map(({ group, topic, tasks }) => ({ group, topic, partitions: tasks })),
    ),
  ];
}

/**
 * Whether `memberIds` has the member that reports partitions which nobody reads: the first of the group, by id. Every
 * process that describes the group comes to the same answer.
 */
export function isSpeaker({ members }: GroupDescription, memberIds: readonly string[]): boolean {
  const [first] = members.map(({ member }) => member).sort();
  return first !== undefined && memberIds.includes(first);
}

/**
 * Those of `partitions` that no member of the group holds or may still work on. Undefined while the assignment is
 * unknown, as in a rebalance.
 */
export function unreadPartitions(
  group: GroupDescription,
  topic: string,
  partitions: readonly number[],
): number[] | undefined {
  if (group.members.length > 0 && group.state !== 'Stable') return undefined;
  return partitions.filter((partition) => !mayHold(group, topic, partition));
}
