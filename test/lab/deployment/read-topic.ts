import type { KafkaMessage } from 'kafkajs';
import type { KafkaAdmin } from '../../../src/io/kafka/admin/admin.ts';
import { BRIEF, type KafkaConnection } from '../../../src/io/kafka/client/connection.ts';
import { clusterOf } from '../../../src/io/kafka/patch/admin.ts';
import { uniqueName } from '../names.ts';

export type ReadRecord = KafkaMessage & { readonly partition: number };

const TIMEOUT_MS = 60_000;

/** A header as text; empty if absent. */
export function headerOf(record: ReadRecord | undefined, name: string): string {
  return String(record?.headers?.[name] ?? '');
}

/**
 * The offset behind the last record of each partition, whether or not its transaction is complete.
 *
 * `offsetBounds` ends at the last stable offset: right after a commit its markers may be missing in some partitions.
 */
export async function highWatermarks(admin: KafkaAdmin, topic: string): Promise<Map<number, bigint>> {
  for (;;) {
    const partitions = [...(await admin.offsetBounds(topic)).keys()];
    const cluster = clusterOf(await admin.client()) as unknown as OffsetCluster;
    const leaders = Object.entries(cluster.findLeaderForPartitions(topic, partitions));
    const answers = await Promise.all(
      leaders.map(([nodeId, led]) => uncommittedEnds(cluster, nodeId, topic, led)),
    );
    const ends = new Map(answers.flat().map(({ partition, offset }) => [partition, BigInt(offset)]));
    // Else a request for another topic has replaced the cluster's metadata.
    if (ends.size === partitions.length) return ends;
  }
}

async function uncommittedEnds(
  cluster: OffsetCluster,
  nodeId: string,
  topic: string,
  led: readonly number[],
): Promise<readonly PartitionOffset[]> {
  const broker = await cluster.findBroker({ nodeId });
  const partitions = led.map((partition) => ({ partition, timestamp: LATEST }));
  const topics = [{ topic, partitions }];
  const { responses } = await broker.listOffsets({ isolationLevel: READ_UNCOMMITTED, topics });
  return responses[0]!.partitions;
}

const READ_UNCOMMITTED = 0;
const LATEST = -1;

interface PartitionOffset {
  readonly partition: number;
  readonly offset: string;
}

/** The parts of kafkajs' cluster that ask a broker with an isolation level: its admin client has one for all. */
interface OffsetCluster {
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, readonly number[]>;
  findBroker(of: { nodeId: string }): Promise<{
    listOffsets(request: {
      isolationLevel: number;
      topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[];
    }): Promise<{ responses: { partitions: PartitionOffset[] }[] }>;
  }>;
}

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

/** As `readTopic`, record by record, for topics that do not fit into memory. */
export async function visitTopic(
  connection: KafkaConnection,
  admin: KafkaAdmin,
  topic: string,
  visit: (record: ReadRecord) => void,
  timeoutMs = TIMEOUT_MS,
): Promise<void> {
  const [bounds, ends] = await Promise.all([admin.offsetBounds(topic), highWatermarks(admin, topic)]);
  const waiting = new Map([...ends].filter(([id, high]) => high > bounds.get(id)!.low));
  if (waiting.size === 0) return;
  const groupId = uniqueName('read');
  const consumer = connection.instance(BRIEF).consumer({ groupId, maxWaitTimeInMs: 100, retry: BRIEF });
  const done = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => done.reject(new Error(`${topic} was not read to its end in ${timeoutMs} ms`)),
    timeoutMs,
  );
  // Emitted also for batches that held only control or aborted records.
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
