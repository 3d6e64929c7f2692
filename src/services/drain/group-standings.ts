import type { CommittedOffset, KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import { describeGroups, type GroupDescription, mayHold } from '../../io/kafka/admin/group-description.ts';
import { SharedAnswer } from '../../io/kafka/admin/shared-answer.ts';
import { GROUP_PREFIX, isDrainGroup } from './assignment.ts';
import type { Standing } from './last-owner.ts';
import { parseTurn } from './turn.ts';

/** Snapshot of all groups that read a task topic. */
export interface TopicStandings {
  /** Names of the groups that have committed something for the topic, or have a member that reads it. */
  readonly groups: readonly string[];
  /** Names of those with members. */
  readonly live: readonly string[];
  /** Standing of each group in a partition. */
  of(partition: number): Standing[];
}

/** Groups whose commits are read at the same time. */
const AT_ONCE = 8;

/**
 * Reads the standings of all nodes' groups in the partitions of a task topic: of configured nodes, of nodes that are
 * gone, and of those that run with another configuration. Names that earlier versions gave to groups count too, so that
 * after an upgrade a node begins where its drains stood.
 *
 * Members are read before commits: what a group commits before it releases a partition is seen.
 *
 * @param configured names of the groups of configured nodes
 */
export async function readStandings(
  admin: KafkaAdmin,
  topic: string,
  configured: readonly string[],
): Promise<TopicStandings> {
  const found = (await admin.groupsWith(GROUP_PREFIX)).filter((group) => isDrainGroup(topic, group));
  const names = [...new Set([...configured, ...found])];
  const described = await describeGroups(admin, names);
  const committed = new Map<string, Map<number, CommittedOffset>>();
  const left = [...names];
  const ask = async () => {
    for (let group = left.pop(); group !== undefined; group = left.pop()) {
      committed.set(group, (await admin.committedEntries(group)).get(topic) ?? new Map());
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, ask));
  const membersOf = (group: string) => described.get(group)?.members ?? [];
  const groups = names.filter((group) => {
    return committed.get(group)!.size > 0 || membersOf(group).some(({ partitions }) => partitions.has(topic));
  });
  return {
    groups,
    live: groups.filter((group) => membersOf(group).length > 0),
    of: (partition) =>
      names.map((group) => {
        const commit = committed.get(group)?.get(partition);
        return {
          group,
          holds: mayHold(described.get(group) ?? NO_GROUP, topic, partition),
          commit: commit && { offset: commit.offset, note: parseTurn(commit.metadata), mark: commit.mark },
        };
      }),
  };
}

const NO_GROUP: GroupDescription = { state: 'Dead', members: [] };

/** Reads which partitions of a topic a group may hold. */
export async function readHeld(
  admin: KafkaAdmin,
  topic: string,
  group: string,
): Promise<(partition: number) => boolean> {
  const description = (await describeGroups(admin, [group])).get(group) ?? NO_GROUP;
  return (partition) => mayHold(description, topic, partition);
}

/** Standings in the partitions of one topic. Partitions that ask at the same time share a request. */
export class TopicGroups {
  readonly #admin: KafkaAdmin;
  readonly #topic: string;
  readonly #standings: SharedAnswer<TopicStandings>;
  readonly #held = new Map<string, SharedAnswer<(partition: number) => boolean>>();

  /** @param configured names of the groups of configured nodes, as of now */
  constructor(admin: KafkaAdmin, topic: string, configured: () => readonly string[]) {
    this.#admin = admin;
    this.#topic = topic;
    this.#standings = new SharedAnswer(() => readStandings(admin, topic, configured()));
  }

  async standings(partition: number): Promise<Standing[]> {
    return (await this.#standings.read()).of(partition);
  }

  /** One request, however many partitions wait for the group. */
  async holds(group: string, partition: number): Promise<boolean> {
    let held = this.#held.get(group);
    if (held === undefined) {
      held = new SharedAnswer(() => readHeld(this.#admin, this.#topic, group));
      this.#held.set(group, held);
    }
    return (await held.read())(partition);
  }
}
