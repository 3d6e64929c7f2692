import type { Producer, Transaction } from 'kafkajs';
import type { OutgoingRecord } from '../../../core/model/records.ts';
import { monotonicMs } from '../../time/clock.ts';
import { sleep } from '../../time/sleep.ts';
import { BRIEF, type KafkaConnection } from '../client/connection.ts';
import { FatalKafkaError, kafkaErrorType } from '../errors.ts';
import { ofClient } from '../patch/boundary.ts';
import { transactionError } from '../patch/coordinators.ts';
import { withMembership } from '../patch/txn-offset-commit.ts';
import type { GroupMembership } from '../patch/types.ts';
import { StaleAnswerGuard } from '../topic/stale-answer-guard.ts';
import { assertAcknowledged, topicMessages } from './outgoing.ts';
import type { BatchLimit } from './send-rounds.ts';

/** Offsets of a source topic that a transaction commits. */
export interface SourceOffsets {
  readonly groupId: string;
  readonly membership: GroupMembership;
  readonly topic: string;
  readonly partitions: readonly PartitionOffset[];
}

export interface PartitionOffset {
  readonly partition: number;
  /** The next offset to read. */
  readonly offset: bigint;
  /** Kept with the offset; brokers accept up to `offset.metadata.max.bytes`, 4096 by default. */
  readonly metadata?: string;
}

export interface ProducerOptions {
  readonly transactionalId: string;
  readonly timeoutMs: number;
  readonly limit: BatchLimit;
  /**
   * Partitions missing from metadata, across this producer and its predecessors. Absent: the first metadata without a
   * partition is believed.
   */
  readonly unknown?: StaleAnswerGuard;
}

/** For groups without members, which accept commits of any generation. */
export const NO_MEMBER: GroupMembership = { generationId: -1, memberId: '' };

/** Request timeouts that fit into the transaction timeout: so many silent brokers a transaction can wait for. */
const SILENT_BROKERS = 4;
/** After this long the previous transaction counts as stuck, not slow. */
const CONCURRENT_GIVE_UP_MS = 10_000;
const CONCURRENT_RETRY_MIN_MS = 3;
const CONCURRENT_RETRY_MAX_MS = 100;
/** Share of the time waited so far that the next pause takes: short pauses for some 50 ms, then ever longer ones. */
const CONCURRENT_RETRY_SHARE = 1 / 16;

/**
 * Writes output records and source offsets in one transaction.
 *
 * The transactional id belongs to the owner of the offsets, such as a source partition of a group, so a successor on
 * another machine fences this producer. After any error it must be closed and a new one opened: only that settles a
 * transaction whose answer was lost.
 */
export class TransactionalProducer {
  readonly #producer: Producer;
  readonly #limit: BatchLimit;
  readonly #unknown: StaleAnswerGuard;
  readonly #connectedMs: number;
  readonly #id: string;

  private constructor(
    producer: Producer,
    { transactionalId, limit, unknown = new StaleAnswerGuard(0) }: ProducerOptions,
    connectedMs: number,
  ) {
    this.#producer = producer;
    this.#id = transactionalId;
    this.#limit = limit;
    this.#unknown = unknown;
    this.#connectedMs = connectedMs;
  }

  /**
   * Connects, fences a predecessor with the same id and waits until its open transaction is settled. Committed offsets
   * read afterwards, with `stably`, are final.
   *
   * Call it only with proof of ownership: it would fence the rightful owner.
   *
   * @throws UnsettledTransactionError when that transaction does not end
   */
  static async open(connection: KafkaConnection, options: ProducerOptions): Promise<TransactionalProducer> {
    const producer = connection.instance(BRIEF, options.timeoutMs / SILENT_BROKERS).producer({
      transactionalId: options.transactionalId,
      transactionTimeout: options.timeoutMs,
      idempotent: false,
      allowAutoTopicCreation: false,
      createPartitioner: () => givenPartition,
      retry: { retries: 0 },
    });
    const connectedMs = monotonicMs();
    try {
      await producer.connect();
      const settle = ofClient(await producer.transaction()); // InitProducerId runs here
      await settle.abort();
    } catch (error) {
      void producer.disconnect().catch(() => undefined);
      throw transactionError(error, options.transactionalId);
    }
    return new TransactionalProducer(producer, options, connectedMs);
  }

  /**
   * One transaction. Resolves once records and offsets are committed; after an error the outcome is unknown.
   *
   * @throws FatalKafkaError for a missing partition and for records too large or refused permanently; nothing is
   *   committed
   */
  async send(source: SourceOffsets, records: readonly OutgoingRecord[]): Promise<void> {
    try {
      await this.#inTransaction(async (transaction) => {
        await sendOffsets(transaction, source);
        await this.#sendRecords(transaction, records);
      });
    } catch (error) {
      throw transactionError(error, this.#id);
    }
  }

  async #inTransaction(work: (transaction: Transaction) => Promise<void>): Promise<void> {
    const transaction = ofClient(await this.#producer.transaction());
    try {
      await work(transaction);
    } catch (error) {
      // No successor will soon settle it, and readers wait at open transactions.
      if (error instanceof FatalKafkaError) await transaction.abort().catch(() => undefined);
      throw error;
    }
    await transaction.commit();
  }

  async close(): Promise<void> {
    await this.#producer.disconnect();
  }

  async #sendRecords(transaction: Transaction, records: readonly OutgoingRecord[]): Promise<void> {
    for (const round of this.#limit.rounds(records)) {
      try {
        const acknowledged = await transaction.sendBatch({ topicMessages: topicMessages(round), acks: -1 });
        assertAcknowledged(round, acknowledged, this.#connectedMs, this.#unknown);
      } catch (error) {
        this.#limit.shrink(error, round);
        throw error;
      }
    }
  }
}

/**
 * Offsets go first: for some milliseconds after a commit the broker answers CONCURRENT_TRANSACTIONS, and this call can
 * be repeated without side effects. A zombie is refused here too, before it has written anything.
 */
async function sendOffsets(transaction: Transaction, source: SourceOffsets): Promise<void> {
  const { groupId, membership, topic } = source;
  const partitions = source.partitions.map(({ offset, ...rest }) => ({ ...rest, offset: String(offset) }));
  const topics = withMembership([{ topic, partitions }], membership);
  const started = monotonicMs();
  for (;;) {
    try {
      await transaction.sendOffsets({ consumerGroupId: groupId, topics });
      return;
    } catch (error) {
      const waitedMs = monotonicMs() - started;
      if (kafkaErrorType(error) !== 'CONCURRENT_TRANSACTIONS' || waitedMs > CONCURRENT_GIVE_UP_MS)
        throw error;
      await sleep(concurrentPause(waitedMs));
    }
  }
}

/**
 * Pause before the next attempt while the broker completes the previous transaction, in ms. That takes a few ms, longer
 * under load, and each attempt is a request.
 */
export function concurrentPause(waitedMs: number): number {
  return Math.min(
    CONCURRENT_RETRY_MAX_MS,
    Math.max(CONCURRENT_RETRY_MIN_MS, waitedMs * CONCURRENT_RETRY_SHARE),
  );
}

function givenPartition({ message }: { message: { partition?: number } }): number {
  if (message.partition === undefined) throw new Error('a record without a partition');
  return message.partition;
}

/**
 * Transactional id of the producer that commits a group's offsets for one partition. Unique whatever the group's name,
 * since topic names contain no slash; with equal ids two deployments would fence each other for ever.
 */
export function transactionalId(group: string, topic: string, partition: number): string {
  return `${group}/${topic}/${partition}`;
}
