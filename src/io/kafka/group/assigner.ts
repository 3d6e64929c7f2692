import type { Assigner, Cluster, GroupMember, GroupMemberAssignment } from 'kafkajs';
import { ofPenstock } from '../patch/boundary.ts';
import { type GroupHooks, HOOKS, type Ownership } from '../patch/group-observer.ts';
import { kafkajs } from '../patch/load.ts';
import { assignCooperatively, type Claim } from './sticky-assignment.ts';

/** Group protocol name. Carries the version, since members of two versions cannot share a group. */
const PROTOCOL_NAME = 'penstock-cooperative-1';
const VERSION = 1;

export interface AssignerOptions extends GroupHooks {
  /** True for partitions this group reads. A drain reads those of its node, a worker all. */
  readonly eligible: (topic: string, partition: number) => boolean;
}

/**
 * Cooperative sticky partition assigner for kafkajs: moves few partitions, and none before its holder has given it up.
 *
 * kafkajs has every member rejoin in a rebalance and has no static membership, so each member claims in its join what
 * it holds. A partition moves in two rebalances: in the first nobody gets it, and its holder finishes its work; in the
 * second it is free. Unreadable user data counts as an empty claim: a leader that throws would stop the group.
 */
export function createAssigner(options: AssignerOptions): (config: { cluster: Cluster }) => Assigner {
  const observer = ofPenstock(options.observer);
  const eligible = ofPenstock(options.eligible);
  return ({ cluster }) => {
    const assigner: Assigner & { [HOOKS]: GroupHooks } = {
      name: PROTOCOL_NAME,
      version: VERSION,
      [HOOKS]: { observer, created: ofPenstock(options.created) },
      protocol: ({ topics }) => ({
        name: PROTOCOL_NAME,
        metadata: kafkajs.AssignerProtocol.MemberMetadata.encode({
          version: VERSION,
          topics,
          userData: Buffer.from(JSON.stringify(observer.claims())),
        }),
      }),
      assign: async ({ members, topics }) => assign(members, topics, cluster, eligible),
    };
    return assigner;
  };
}

function assign(
  members: readonly GroupMember[],
  topics: readonly string[],
  cluster: Cluster,
  eligible: AssignerOptions['eligible'],
): GroupMemberAssignment[] {
  const ownerships = members.map(({ memberId, memberMetadata }) => ({
    memberId,
    ownership: readOwnership(memberMetadata),
  }));
  const assignments = new Map<string, Record<string, number[]>>(
    members.map(({ memberId }) => [memberId, {}]),
  );
  for (const topic of topics) {
    const partitions = cluster
      .findTopicPartitionMetadata(topic)
      .map(({ partitionId }) => partitionId)
      .filter((partition) => eligible(topic, partition));
    const claims: Claim[] = ownerships.map(({ memberId, ownership }) => ({
      memberId,
      generation: ownership.generation,
      owned: ownership.owned[topic] ?? [],
    }));
    for (const [memberId, own] of assignCooperatively(partitions, claims)) {
      if (own.length > 0) assignments.get(memberId)![topic] = own;
    }
  }
  return [...assignments].map(([memberId, assignment]) => ({
    memberId,
    memberAssignment: kafkajs.AssignerProtocol.MemberAssignment.encode({
      version: VERSION,
      assignment,
      userData: Buffer.alloc(0),
    }),
  }));
}

/** Partitions a member claimed when it joined, by topic. */
export function claimsOf(metadata: Buffer): Map<string, readonly number[]> {
  return new Map(Object.entries(readOwnership(metadata).owned));
}

const NOTHING: Ownership = { generation: -1, owned: {} };

function readOwnership(metadata: Buffer): Ownership {
  try {
    const userData = kafkajs.AssignerProtocol.MemberMetadata.decode(metadata)?.userData;
    if (userData === undefined || userData.length === 0) return NOTHING;
    const { generation, owned } = JSON.parse(userData.toString()) as Partial<Ownership>;
    if (typeof generation !== 'number' || typeof owned !== 'object' || owned === null) return NOTHING;
    const lists = Object.entries(owned).filter(([, list]) => Array.isArray(list));
    return { generation, owned: Object.fromEntries(lists) };
  } catch {
    return NOTHING;
  }
}
