import type { KafkaAdmin } from '../kafka/admin.ts';
import { describeGroups, type GroupDescription, mayHold } from '../kafka/group-description.ts';
import { drainGroupPrefix } from './assignment.ts';
import type { Standing } from './last-owner.ts';
import { parseTurn } from './turn.ts';

/** What Kafka says of all groups that read a task topic, at about one moment. */
export interface TopicStandings {
  /** Names of the groups that have committed something for the topic, or have a member that reads it. */
  readonly groups: readonly string[];
  /** Names of those of them that have members. */
  readonly live: readonly string[];
  /** How each group stands to a partition. */
  of(partition: number): Standing[];
}

/** How often groups are asked at the same time. */
const AT_ONCE = 8;

/**
 * Asks Kafka how the groups of all nodes stand to the partitions of a task topic: those of the configuration, and those
 * that others have left behind or still run under another one.
 *
 * The members first, then the commits: what a group commits before it lets go of a partition is seen.
 *
 * @param configured names of the groups that the configuration has
 */
export async function readStandings(
  admin: KafkaAdmin,
  topic: string,
  configured: readonly string[],
): Promise<TopicStandings> {
  const found = await admin.groupsWith(drainGroupPrefix(topic));
  const names = [...new Set([...configured, ...found])];
  const described = await describeGroups(admin, names);
  const committed = new Map<string, Map<number, { offset: bigint; metadata: string }>>();
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
          commit: commit && { offset: commit.offset, note: parseTurn(commit.metadata) },
        };
      }),
  };
}

const NO_GROUP: GroupDescription = { state: 'Dead', members: [] };

/** Partitions that want to know at the same time share one answer, asked for after the last of them wanted it. */
export class SharedStandings {
  readonly #ask: () => Promise<TopicStandings>;
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<TopicStandings> | undefined;

  constructor(ask: () => Promise<TopicStandings>) {
    this.#ask = ask;
  }

  read(): Promise<TopicStandings> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      const answer = this.#ask();
      this.#running = answer.catch(() => undefined);
      return answer;
    });
    return this.#next;
  }
}
