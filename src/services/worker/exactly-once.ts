import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import type { AssignedPartition } from '../../io/kafka/group/assigned-partition.ts';
import { BatchLimit } from '../../io/kafka/produce/send-rounds.ts';
import { TransactionalProducer, transactionalId } from '../../io/kafka/produce/transactional-producer.ts';
import { StaleAnswerGuard } from '../../io/kafka/topic/stale-answer-guard.ts';
import { withMark } from '../../io/kafka/topic/topic-mark.ts';
import type { Publisher, PublisherFactory, StepPublication } from './publisher.ts';

/**
 * `delivery: exactly_once`: records and source offset in one transaction.
 *
 * The transactional id is derived from group and partition: the next owner of the partition fences this one.
 */
export class ExactlyOnce implements PublisherFactory {
  readonly #connection: KafkaConnection;
  readonly #groupId: string;
  readonly #timeoutMs: number;
  readonly #limit = new BatchLimit();
  readonly #unknown: StaleAnswerGuard;

  /** @param unknown decides how long brokers may deny a partition before they are believed */
  constructor(
    connection: KafkaConnection,
    groupId: string,
    timeoutMs: number,
    unknown = new StaleAnswerGuard(),
  ) {
    this.#connection = connection;
    this.#groupId = groupId;
    this.#timeoutMs = timeoutMs;
    this.#unknown = unknown;
  }

  async open(partition: AssignedPartition): Promise<Publisher> {
    const groupId = this.#groupId;
    const producer = await TransactionalProducer.open(this.#connection, {
      transactionalId: transactionalId(groupId, partition.topic, partition.partition),
      timeoutMs: this.#timeoutMs,
      limit: this.#limit,
      unknown: this.#unknown,
    });
    return {
      publish: async ({ records, nextOffset }: StepPublication) => {
        partition.assertOwned();
        const { topic, partition: id, membership, mark } = partition;
        const partitions = [{ partition: id, offset: nextOffset, metadata: withMark('', mark) }];
        await producer.send({ groupId, membership, topic, partitions }, records);
        partition.committedTo = nextOffset;
      },
      close: () => producer.close(),
    };
  }

  async close(): Promise<void> {}
}
