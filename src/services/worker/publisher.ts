import type { OutgoingRecord } from '../../core/model/records.ts';
import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import type { AssignedPartition } from '../../io/kafka/group/assigned-partition.ts';
import { PlainProducer } from '../../io/kafka/produce/plain-producer.ts';
import { BatchLimit } from '../../io/kafka/produce/send-rounds.ts';
import { TransactionalProducer, transactionalId } from '../../io/kafka/produce/transactional-producer.ts';
import { StaleAnswerGuard } from '../../io/kafka/topic/stale-answer-guard.ts';
import { withMark } from '../../io/kafka/topic/topic-mark.ts';

/** The output of one step of one source partition. */
export interface StepPublication {
  readonly records: readonly OutgoingRecord[];
  /** Next source offset, once the records are published. */
  readonly nextOffset: bigint;
}

/**
 * Publishes the steps of one source partition, one after the other.
 *
 * After `publish` has thrown, it is unknown what was written: close it and open a new one, read the committed
 * offset again, and go on from there.
 */
export interface Publisher {
  publish(step: StepPublication): Promise<void>;
  close(): Promise<void>;
}

/** Opens publishers of partitions; `worker.delivery` is their guarantee. */
export interface PublisherFactory {
  /** Call it only with proof of ownership. When it resolves, committed offsets are final. */
  open(partition: AssignedPartition): Promise<Publisher>;
  close(): Promise<void>;
}

/**
 * `delivery: at_least_once`: records first, then the source offset. A crash in between repeats the step.
 *
 * One producer serves all partitions.
 */
export class AtLeastOnce implements PublisherFactory {
  readonly #producer: PlainProducer;
  readonly #commit: (partition: AssignedPartition, offset: bigint) => Promise<void>;

  constructor(
    connection: KafkaConnection,
    commit: (partition: AssignedPartition, offset: bigint) => Promise<void>,
  ) {
    this.#producer = new PlainProducer(connection);
    this.#commit = commit;
  }

  async open(partition: AssignedPartition): Promise<Publisher> {
    return {
      publish: async ({ records, nextOffset }) => {
        partition.assertOwned();
        await this.#producer.send(records);
        await this.#commit(partition, nextOffset);
      },
      close: async () => undefined,
    };
  }

  close(): Promise<void> {
    return this.#producer.close();
  }
}

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
