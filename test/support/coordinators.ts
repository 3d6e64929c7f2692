import type { KafkaAdmin } from '../../src/io/kafka/admin/admin.ts';

/** Kafka's internal topics: the leaders of their partitions are the coordinators. */
const TOPICS = { group: '__consumer_offsets', transaction: '__transaction_state' } as const;
export type CoordinatorKind = keyof typeof TOPICS;

/** The current coordinators, as indexes of brokers in the cluster. */
export interface Coordinators {
  /** Coordinator of a group or of a transactional id; -1 while there is none. */
  of(kind: CoordinatorKind, id: string): number;
}

/**
 * Reads the leaders of the partitions that groups and transactional ids hash to (Kafka's
 * GroupMetadataManager.partitionFor, with Java's String.hashCode).
 */
export async function readCoordinators(
  admin: KafkaAdmin,
  kinds: readonly CoordinatorKind[] = ['group'],
): Promise<Coordinators> {
  const client = await admin.client();
  const { topics } = await client.fetchTopicMetadata({ topics: kinds.map((kind) => TOPICS[kind]) });
  const leaders = new Map(topics.map(({ name, partitions }) => [name, partitions]));
  return {
    of: (kind, id) => {
      const partitions = leaders.get(TOPICS[kind]) ?? [];
      const hash = Buffer.from(id).reduce((sum, byte) => (Math.imul(sum, 31) + byte) | 0, 0);
      const own = Math.abs(hash) % partitions.length;
      return (partitions.find(({ partitionId }) => partitionId === own)?.leader ?? 0) - 1;
    },
  };
}
