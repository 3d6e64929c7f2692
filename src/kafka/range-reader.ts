import { randomBytes } from 'node:crypto';
import type { Batch, Consumer } from 'kafkajs';
import { Backoff, sleep } from '../model/sleep.ts';
import type { KafkaAdmin } from './admin.ts';
import { BRIEF, type KafkaConnection } from './client.ts';
import { copyRecords } from './copy-records.ts';
import { isConnectionTrouble, isMembershipError, KafkaSetupError, kafkaErrorType } from './errors.ts';
import type { FetchedRecord } from './partition-queue.ts';

/** Offsets of one partition: `from` included, `to` not. */
export interface OffsetRange {
  readonly from: bigint;
  readonly to: bigint;
}

export interface RangeReaderOptions {
  readonly topic: string;
  readonly ranges: ReadonlyMap<number, OffsetRange>;
  /** Takes records of one partition, in order, each once. */
  readonly visit: (records: readonly FetchedRecord[]) => Promise<void> | void;
}

/** Most records that are handed over at once: between two calls a heartbeat is sent. */
const CHUNK_RECORDS = 500;
/** A range that does not go on for this long is held up by something that this reader cannot mend, in ms. */
const STALLED_MS = 120_000;
const FETCH_MAX_BYTES = 8 * 1024 * 1024;
const FETCH_MAX_WAIT_MS = 100;
const ATTEMPTS = 8;
const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 5_000;
/** What a broker answers while it takes over a group, as the very first group of a cluster meets it. */
const COORDINATOR_MOVES = new Set([
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
]);

/**
 * Reads ranges of a topic's partitions once, committed records only, and returns. Records that retention takes in the
 * meantime are passed over.
 *
 * The group is of this call's own and is deleted afterwards: kafkajs cannot read without one. It begins where the
 * ranges say at every join, so a rebalance repeats nothing.
 *
 * @throws what `visit` throws; KafkaSetupError where a range does not go on
 */
export async function readRanges(
  connection: KafkaConnection,
  admin: KafkaAdmin,
  options: RangeReaderOptions,
): Promise<void> {
  const positions = new Map(
    [...options.ranges].filter(([, { from, to }]) => from < to).map(([id, { from }]) => [id, from]),
  );
  const reading: Reading = { positions, visitFailed: false };
  const backoff = new Backoff(BACKOFF_MIN_MS, BACKOFF_MAX_MS);
  for (let attempt = 1; positions.size > 0; attempt++) {
    try {
      await readOnce(connection, admin, options, reading);
    } catch (error) {
      if (reading.visitFailed || !isPassing(error) || attempt === ATTEMPTS) throw error;
      await sleep(backoff.next());
    }
  }
}

/** How far a reading is: what is left of the ranges, over all consumers that it takes. */
interface Reading {
  readonly positions: Map<number, bigint>;
  visitFailed: boolean;
}

/** Whether another consumer may fare better: one that has crashed cannot be used again. */
function isPassing(error: unknown): boolean {
  return (
    isConnectionTrouble(error) || isMembershipError(error) || COORDINATOR_MOVES.has(kafkaErrorType(error))
  );
}

async function readOnce(
  connection: KafkaConnection,
  admin: KafkaAdmin,
  { topic, ranges, visit }: RangeReaderOptions,
  reading: Reading,
): Promise<void> {
  const { positions } = reading;
  const groupId = `penstock.read.${randomBytes(8).toString('hex')}`;
  const consumer = connection.instance(BRIEF).consumer({
    groupId,
    maxBytes: FETCH_MAX_BYTES,
    maxWaitTimeInMs: FETCH_MAX_WAIT_MS,
    allowAutoTopicCreation: false,
    retry: { ...BRIEF, restartOnFailure: async () => false },
  });
  const done = Promise.withResolvers<void>();
  done.promise.catch(() => undefined);
  let lastMoved = Date.now();

  const moveTo = (partition: number, offset: bigint) => {
    const range = ranges.get(partition);
    const position = positions.get(partition);
    if (reading.visitFailed || range === undefined || position === undefined || offset <= position) return;
    lastMoved = Date.now();
    positions.set(partition, offset);
    if (offset < range.to) return;
    positions.delete(partition);
    consumer.pause([{ topic, partitions: [partition] }]);
    if (positions.size === 0) done.resolve();
  };
  const visitBatch = async (batch: Batch, heartbeat: () => Promise<void>) => {
    const { partition } = batch;
    const range = ranges.get(partition);
    const position = positions.get(partition);
    if (range === undefined || position === undefined) return;
    const records = copyRecords(batch as never).filter(
      ({ offset }) => offset >= position && offset < range.to,
    );
    for (let at = 0; at < records.length; at += CHUNK_RECORDS) {
      const chunk = records.slice(at, at + CHUNK_RECORDS);
      try {
        await visit(chunk);
      } catch (error) {
        // Not for kafkajs, which would hand over the same batch again.
        reading.visitFailed = true;
        done.reject(error);
        return;
      }
      moveTo(partition, chunk.at(-1)!.offset + 1n);
      await heartbeat();
    }
  };

  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
    begin(consumer, topic, payload.memberAssignment, positions),
  );
  consumer.on(consumer.events.CRASH, ({ payload }) => done.reject(payload.error));
  // The end of a batch is told also where it held only transaction markers and aborted records.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) =>
    moveTo(payload.partition, BigInt(payload.lastOffset) + 1n),
  );
  const ended = new AbortController();
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: 1,
      eachBatch: async ({ batch, heartbeat }) => {
        if (reading.visitFailed) return;
        await visitBatch(batch, heartbeat);
      },
    });
    await Promise.race([done.promise, stalled(topic, () => lastMoved, ended.signal)]);
  } finally {
    ended.abort();
    await consumer.disconnect().catch(() => undefined);
    const client = await admin.client();
    await client.deleteGroups([groupId]).catch(() => undefined);
  }
}

/** Every partition that still has a range goes on where it was; the others are not read. */
function begin(
  consumer: Consumer,
  topic: string,
  assignment: Record<string, number[]>,
  positions: ReadonlyMap<number, bigint>,
): void {
  for (const partition of assignment[topic] ?? []) {
    const position = positions.get(partition);
    if (position === undefined) consumer.pause([{ topic, partitions: [partition] }]);
    else consumer.seek({ topic, partition, offset: String(position) });
  }
}

async function stalled(topic: string, lastMoved: () => number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(1_000, signal);
    if (Date.now() - lastMoved() < STALLED_MS) continue;
    throw new KafkaSetupError(
      `topic ${topic} cannot be read to its end: nothing has come for ${STALLED_MS / 1000} s. Are all its partitions ` +
        'led by a broker, and is no transaction left open by a writer that died?',
    );
  }
}
