import type { OutgoingRecord } from '../../core/model/records.ts';
import { markerRecord } from '../../core/record/redrive-marker.ts';
import { NO_MEMBER, type SourceOffsets } from '../../io/kafka/produce/transactional-producer.ts';
import { OffsetRanges } from './offset-ranges.ts';
import type { PartitionPlan } from './redrive-plan.ts';

/** Letters and bytes of one transaction, at most: kafkajs' cost of a send grows with the square of its records. */
const BATCH_LETTERS = 500;
const BATCH_BYTES = 4 * 1024 * 1024;

export interface RedrivePartition {
  readonly topic: string;
  readonly partition: number;
  readonly groupId: string;
  /** The system's time, for the markers. */
  readonly nowMs: () => number;
}

/** One transaction: all or nothing. */
interface Sender {
  send(source: SourceOffsets, records: readonly OutgoingRecord[]): Promise<void>;
}

/** The redrive of one partition: gathers records, and sends them with their marker and the group's offset. */
export class PartitionRedrive {
  readonly #target: RedrivePartition;
  readonly #plan: PartitionPlan;
  readonly #sender: Sender;
  readonly #onSent: (letters: number) => void;
  #batch: OutgoingRecord[] = [];
  /** Offsets of the letters in the batch. */
  #offsets: bigint[] = [];
  #bytes = 0;
  /** Number of the plan's letters that are gathered or gone. */
  #passed = 0;

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

  /** Whether the plan takes the letter at `offset`. Ask in ascending order: planned letters passed over are gone. */
  takes(offset: bigint): boolean {
    const { take } = this.#plan;
    while (this.#passed < take.length && take[this.#passed]! < offset) this.#passed += 1;
    return take[this.#passed] === offset;
  }

  /** Adds the record of the letter at `offset`, for which `takes` was true. */
  async add(offset: bigint, record: OutgoingRecord): Promise<void> {
    this.#batch.push(record);
    this.#offsets.push(offset);
    this.#bytes += record.value?.length ?? 0;
    this.#passed += 1;
    if (this.#batch.length >= BATCH_LETTERS || this.#bytes >= BATCH_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#batch.length === 0) return;
    const { topic, partition, groupId, nowMs } = this.#target;
    const { take, firstLeft, end } = this.#plan;
    const redriven = new OffsetRanges();
    for (const letter of this.#offsets) redriven.add(letter);
    const marker = markerRecord(topic, partition, redriven.ranges, nowMs());
    const nextToTake = take[this.#passed] ?? end;
    const offset = nextToTake < firstLeft ? nextToTake : firstLeft;
    const source = { groupId, membership: NO_MEMBER, topic, partitions: [{ partition, offset }] };
    await this.#sender.send(source, [...this.#batch, marker]);
    const letters = this.#batch.length;
    this.#batch = [];
    this.#offsets = [];
    this.#bytes = 0;
    this.#onSent(letters);
  }
}
