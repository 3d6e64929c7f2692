import { claimsOf } from '../group/assigner.ts';
import { kafkajs } from '../patch/load.ts';
import type { KafkaAdmin } from './admin.ts';

/** A member of a consumer group as the coordinator describes it. */
export interface GroupMember {
  /** Unique in the group; made by the broker. */
  readonly member: string;
  readonly client: string;
  /** Address from which the member is connected. */
  readonly host: string;
  /** Partitions by topic. Empty during a rebalance. */
  readonly partitions: ReadonlyMap<string, readonly number[]>;
  /**
   * Partitions it claimed when it joined, by topic: it may still work on some that are assigned to nobody now. Empty
   * during a rebalance, and for members that are not Penstock.
   */
  readonly claims: ReadonlyMap<string, readonly number[]>;
}

/** A consumer group. One that never existed or was deleted is `Dead` and has no members. */
export interface GroupDescription {
  /** Kafka's name of the state: Stable, PreparingRebalance, CompletingRebalance, Empty or Dead. */
  readonly state: string;
  readonly members: readonly GroupMember[];
}

/** Describes consumer groups; every group that was asked for is in the answer. */
export async function describeGroups(
  kafkaAdmin: KafkaAdmin,
  groupIds: readonly string[],
): Promise<Map<string, GroupDescription>> {
  if (groupIds.length === 0) return new Map();
  const admin = await kafkaAdmin.client();
  const { groups } = await admin.describeGroups([...new Set(groupIds)]);
  return new Map(
    groups.map(({ groupId, state, members }) => [
      groupId,
      {
        state,
        members: members
          .map(({ memberId, clientId, clientHost, memberMetadata, memberAssignment }) => ({
            member: memberId,
            client: clientId,
            host: clientHost.replace(/^\//, ''),
            partitions: decodeAssignment(memberAssignment),
            claims: claimsOf(memberMetadata),
          }))
          .sort((a, b) => (a.member < b.member ? -1 : 1)),
      },
    ]),
  );
}

/** The partitions in a member's assignment; none when it is empty, as in a rebalance, or cannot be read. */
export function decodeAssignment(assignment: Buffer): Map<string, number[]> {
  try {
    const decoded = kafkajs.AssignerProtocol.MemberAssignment.decode(assignment)?.assignment ?? {};
    return new Map(Object.entries(decoded).map(([topic, list]) => [topic, [...list].sort((a, b) => a - b)]));
  } catch {
    return new Map();
  }
}

/**
 * True if a member of the group may work on the partition, or is about to. Always true in a rebalance, when assignments
 * are unknown.
 */
export function mayHold({ state, members }: GroupDescription, topic: string, partition: number): boolean {
  if (members.length === 0) return false;
  if (state !== 'Stable') return true;
  return members.some(
    ({ partitions, claims }) =>
      partitions.get(topic)?.includes(partition) === true || claims.get(topic)?.includes(partition) === true,
  );
}
