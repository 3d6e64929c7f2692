import type { OutgoingRecord } from '../../core/model/records.ts';
import type { AssignedPartition } from '../../io/kafka/group/assigned-partition.ts';

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
