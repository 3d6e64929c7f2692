import type { KafkaMessage } from 'kafkajs';
import type { KafkaAdmin } from '../../src/kafka/admin.ts';
import { BRIEF, type KafkaConnection } from '../../src/kafka/client.ts';
import { uniqueName } from './names.ts';

export type ReadRecord = KafkaMessage & { readonly partition: number };

const TIMEOUT_MS = 60_000;

/** Every record of a topic that a read_committed reader sees, up to its end at the time of the call. */
export async function readTopic(
  connection: KafkaConnection,
  admin: KafkaAdmin,
  topic: string,
): Promise<ReadRecord[]> {
  const records: ReadRecord[] = [];
  await visitTopic(connection, admin, topic, (record) => records.push(record));
  return records.sort((a, b) => a.partition - b.partition || Number(BigInt(a.offset) - BigInt(b.offset)));
}

/** As `readTopic`, for topics that do not fit into memory: hands over one record after the other. */
export async function visitTopic(
  connection: KafkaConnection,
  admin: KafkaAdmin,
  topic: string,
  visit: (record: ReadRecord) => void,
  timeoutMs = TIMEOUT_MS,
): Promise<void> {
  const bounds = await admin.offsetBounds(topic);
  const waiting = new Map(
    [...bounds].filter(([, { low, high }]) => high > low).map(([id, { high }]) => [id, high]),
  );
  if (waiting.size === 0) return;
  const groupId = uniqueName('read');
  const consumer = connection.instance(BRIEF).consumer({ groupId, maxWaitTimeInMs: 100, retry: BRIEF });
  const done = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => done.reject(new Error(`${topic} was not read to its end in ${timeoutMs} ms`)),
    timeoutMs,
  );
  // The end of a batch is told also when it held only control or aborted records.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    const high = waiting.get(payload.partition);
    if (high !== undefined && BigInt(payload.lastOffset) + 1n >= high) waiting.delete(payload.partition);
    if (waiting.size === 0) done.resolve();
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      for (const message of batch.messages) visit({ ...message, partition: batch.partition });
    },
  });
  try {
    await done.promise;
  } finally {
    clearTimeout(timer);
    await consumer.disconnect();
    const client = await admin.client();
    await client.deleteGroups([groupId]).catch(() => undefined);
  }
}
