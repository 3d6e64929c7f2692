import type { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import { drainGroupId, nodeOfDrainGroup } from './assignment.ts';
import { readStandings } from './group-standings.ts';
import { lastOwner } from './last-owner.ts';

/** The group of a node that is no longer configured, on one task topic. */
export interface Leftover {
  readonly node: string;
  readonly topic: string;
  readonly group: string;
  /** A drain of the node still runs. */
  readonly live: boolean;
  /**
   * Partitions that no other node has taken over, and of which Kafka keeps records that this group has read: without
   * its commits they would be sent again. Ascending.
   */
  readonly needed_for: readonly number[];
}

/** Groups that nodes which are not in `nodes` have left behind on task topics. */
export async function readLeftovers(
  admin: KafkaAdmin,
  topics: readonly string[],
  nodes: readonly string[],
): Promise<Leftover[]> {
  const states = await admin.topicStates(topics);
  const existing = topics.filter((topic) => states.get(topic)?.trouble === undefined);
  const leftovers = await Promise.all(existing.map((topic) => ofTopic(admin, topic, nodes)));
  return leftovers.flat();
}

async function ofTopic(admin: KafkaAdmin, topic: string, nodes: readonly string[]): Promise<Leftover[]> {
  const configured = nodes.map((node) => drainGroupId(topic, node));
  const standings = await readStandings(admin, topic, configured);
  // The group of a configured node under the name of an earlier version is no leftover: Kafka deletes it in time.
  const groups = standings.groups.filter((group) => !nodes.includes(nodeOfDrainGroup(topic, group)));
  if (groups.length === 0) return [];
  const needed = new Map<string, number[]>();
  const { bounds } = await admin.knownBounds(topic);
  for (const [partition, { low }] of [...bounds].sort(([a], [b]) => a - b)) {
    const owner = lastOwner('', standings.of(partition));
    if (owner === undefined || owner.commit.offset <= low) continue;
    needed.set(owner.group, [...(needed.get(owner.group) ?? []), partition]);
  }
  return groups.map((group) => ({
    node: nodeOfDrainGroup(topic, group),
    topic,
    group,
    live: standings.live.includes(group),
    needed_for: needed.get(group) ?? [],
  }));
}
