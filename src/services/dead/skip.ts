import type { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import { CorruptBatchError, FatalKafkaError, type UnreadableBatch } from '../../io/kafka/errors.ts';
import { fingerprint, skipGroup } from '../../io/kafka/group/corrupt-batches.ts';
import { BatchLimit } from '../../io/kafka/produce/send-rounds.ts';
import {
  NO_MEMBER,
  TransactionalProducer,
  transactionalId,
} from '../../io/kafka/produce/transactional-producer.ts';
import { RangeReader } from '../../io/kafka/range/range-reader.ts';
import { monotonicMs } from '../../io/time/clock.ts';
import { sleep } from '../../io/time/sleep.ts';

/** A record batch to skip, and the consumer group that waits at it. */
export interface SkipTarget {
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

export interface FoundBatch extends UnreadableBatch {
  /** Why it cannot be read. */
  readonly message: string;
}

const ONE_RECORD = { maxRecords: 1, maxBytes: 1, lingerMs: 0 };
const POLL_MS = 500;

/** The batch at an offset if it cannot be read, else undefined. */
export async function unreadableAt(
  connection: KafkaConnection,
  admin: KafkaAdmin,
  { topic, partition, offset }: Omit<SkipTarget, 'groupId'>,
): Promise<FoundBatch | undefined> {
  const ranges = new Map([[partition, { from: offset, to: offset + 1n }]]);
  const reader = new RangeReader(connection, admin, { topic, ranges });
  try {
    await reader.take(ONE_RECORD);
    return undefined;
  } catch (error) {
    if (!(error instanceof CorruptBatchError) || error.batch === undefined) throw error;
    return { ...error.batch, message: error.reason };
  } finally {
    await reader.close();
  }
}

/**
 * The unreadable batch that begins at the offset and holds up the group.
 *
 * @throws FatalKafkaError if there is none, with the offset of the batch that does hold it up, if any
 */
export async function batchToSkip(
  connection: KafkaConnection,
  admin: KafkaAdmin,
  target: SkipTarget,
): Promise<FoundBatch> {
  const { groupId, topic, partition, offset } = target;
  const bound = (await admin.offsetBounds(topic, [partition])).get(partition);
  if (bound === undefined) throw new FatalKafkaError(`topic ${topic} has no partition ${partition}`);
  const committed = (await admin.committedOffsets(groupId, topic)).get(partition) ?? bound.low;
  const position = committed < bound.low ? bound.low : committed;
  const isThere = offset >= bound.low && offset < bound.high;
  const found = isThere ? await unreadableAt(connection, admin, target) : undefined;
  if (found?.offset === offset && found.nextOffset > position) return found;
  const held =
    position < bound.high
      ? await unreadableAt(connection, admin, { topic, partition, offset: position })
      : undefined;
  const where = `${topic}/${partition}`;
  const right = held ?? (found !== undefined && found.nextOffset > position ? found : undefined);
  if (right !== undefined)
    throw new FatalKafkaError(
      `${where}: no record batch that cannot be read begins at ${offset}; expected ${right.offset}: ${right.message}`,
    );
  throw new FatalKafkaError(
    `${where}: nothing is to be skipped at ${offset}: the group ${groupId} is at ${position}` +
      (position < bound.high ? ', where records can be read' : ', the end'),
  );
}

/** Commits a request to the partition's owner, which passes over this very batch when it waits at it. */
export async function requestSkip(
  connection: KafkaConnection,
  { groupId, topic, partition }: SkipTarget,
  batch: UnreadableBatch,
  transactionTimeoutMs: number,
): Promise<void> {
  const producer = await TransactionalProducer.open(connection, {
    transactionalId: transactionalId(skipGroup(groupId), topic, partition),
    timeoutMs: transactionTimeoutMs,
    limit: new BatchLimit(),
  });
  try {
    const entry = { partition, offset: batch.offset, metadata: fingerprint(batch) };
    await producer.send(
      { groupId: skipGroup(groupId), membership: NO_MEMBER, topic, partitions: [entry] },
      [],
    );
  } finally {
    await producer.close();
  }
}

/** Waits up to `waitMs` for the group to commit an offset behind the batch. @returns whether it has */
export async function isPassed(
  admin: KafkaAdmin,
  { groupId, topic, partition }: SkipTarget,
  { nextOffset }: UnreadableBatch,
  waitMs: number,
): Promise<boolean> {
  const deadline = monotonicMs() + waitMs;
  for (;;) {
    const committed = (await admin.committedOffsets(groupId, topic)).get(partition) ?? -1n;
    if (committed >= nextOffset) return true;
    if (monotonicMs() >= deadline) return false;
    await sleep(POLL_MS);
  }
}
