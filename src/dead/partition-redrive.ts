import type { OutgoingRecord } from '../kafka/outgoing.ts';
import type { SourceOffset } from '../kafka/transactional-producer.ts';
import { markerRecord } from './marker.ts';
import type { PartitionPlan } from './redrive-plan.ts';

/** Letters and bytes of one transaction, at most: kafkajs' cost of a send grows with the square of its records. */
const BATCH_LETTERS = 500;
const BATCH_BYTES = 4 * 1024 * 1024;

/** A group that nobody joins takes commits of any generation. */
const NO_MEMBER = { generationId: -1, memberId: '' };

export interface RedrivePartition {
  readonly topic: string;
  readonly partition: number;
  readonly groupId: string;
}

/** One transaction: all or nothing. */
interface Sender {
  send(source: SourceOffset, records: readonly OutgoingRecord[]): Promise<void>;
}

/** The redrive of one partition: gathers records, and sends them with their marker and the group's offset. */
export class PartitionRedrive {
  readonly #target: RedrivePartition;
  readonly #plan: PartitionPlan;
  readonly #sender: Sender;
  readonly #onSent: (letters: number) => void;
  #batch: OutgoingRecord[] = [];
  #bytes = 0;
  /** How many of the plan's letters are gathered, and sent. */
  #gathered = 0;
  #sent = 0;

  constructor(
    target: RedrivePartition,
    plan: PartitionPlan,
    sender: Sender,
    onSent: (letters: number) => void,
  ) {
    this.#target = target;
    this.#plan = plan;
    this.#sender = sender;
    this.#onSent = onSent;
  }

  /** Offset of the letter whose record is to be added next; undefined when all are. */
  get next(): bigint | undefined {
    return this.#plan.take[this.#gathered];
  }

  async add(record: OutgoingRecord): Promise<void> {
    this.#batch.push(record);
    this.#bytes += record.value?.length ?? 0;
    this.#gathered += 1;
    if (this.#batch.length >= BATCH_LETTERS || this.#bytes >= BATCH_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#batch.length === 0) return;
    const { topic, partition, groupId } = this.#target;
    const { take, firstLeft, end } = this.#plan;
    const marker = markerRecord(topic, partition, take.slice(this.#sent, this.#gathered), Date.now());
    const nextToTake = take[this.#gathered] ?? end;
    const offset = nextToTake < firstLeft ? nextToTake : firstLeft;
    const source = { groupId, membership: NO_MEMBER, topic, partition, offset };
    await this.#sender.send(source, [...this.#batch, marker]);
    const letters = this.#gathered - this.#sent;
    this.#sent = this.#gathered;
    this.#batch = [];
    this.#bytes = 0;
    this.#onSent(letters);
  }
}
