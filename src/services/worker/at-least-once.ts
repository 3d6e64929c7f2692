import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import type { AssignedPartition } from '../../io/kafka/group/assigned-partition.ts';
import { PlainProducer } from '../../io/kafka/produce/plain-producer.ts';
import type { Publisher, PublisherFactory } from './publisher.ts';

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
