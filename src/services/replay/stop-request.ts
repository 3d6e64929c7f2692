import type { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import { BatchLimit } from '../../io/kafka/produce/send-rounds.ts';
import { NO_MEMBER, TransactionalProducer } from '../../io/kafka/produce/transactional-producer.ts';
import { headOf, type StoredReplay, stopGroup } from './stored-replay.ts';

/**
 * Asks the process that runs a replay to stop. The request names the process by its `run`, so the one that resumes the
 * replay later ignores it.
 */
export async function requestStop(
  connection: KafkaConnection,
  { id, run, spec, partitions }: StoredReplay,
  transactionTimeoutMs: number,
): Promise<void> {
  const groupId = stopGroup(id);
  const producer = await TransactionalProducer.open(connection, {
    transactionalId: groupId,
    timeoutMs: transactionTimeoutMs,
    limit: new BatchLimit(),
  });
  try {
    const request = { partition: headOf(partitions), offset: 0n, metadata: run };
    await producer.send({ groupId, membership: NO_MEMBER, topic: spec.topic, partitions: [request] }, []);
  } finally {
    await producer.close();
  }
}

/** Whether the process that is named `run` was told to stop. */
export async function isStopRequested(admin: KafkaAdmin, id: string, run: string): Promise<boolean> {
  const entries = await admin.committedEntries(stopGroup(id));
  return [...entries.values()].some((committed) =>
    [...committed.values()].some(({ metadata }) => metadata === run),
  );
}
