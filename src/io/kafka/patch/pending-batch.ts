import { giveBack } from '../../../core/wire/memory.ts';
import { type OriginalFormats, readRecordSet, takeUnread } from './record-set.ts';
import { Turns } from './turns.ts';
import type { AbortedTransaction, FetchedBatch, FetchRoom } from './types.ts';

/** The data from which kafkajs creates a `Batch`. */
interface PartitionData {
  readonly partition: number;
  readonly highWatermark: string;
  readonly abortedTransactions?: AbortedTransaction[] | null;
  readonly messages: object[];
}

interface OriginalBatch extends FetchedBatch {
  readonly messagesWithinOffset: readonly unknown[];
}

type BatchClass = new (topic: string, fetchedOffset: string, data: PartitionData) => OriginalBatch;

/** Record sets read concurrently in a process: each may have a whole batch decompressed (codecs.ts). */
const READ_AT_ONCE = 2;
const turns = new Turns(READ_AT_ONCE);

/**
 * kafkajs' `Batch`, whose record set is read later, once the room for its records is known. `lastOffset` of a read
 * batch is right even without records; the original then stands still or jumps to the end.
 */
export function patchBatch(OriginalBatch: BatchClass, formats: OriginalFormats): BatchClass {
  class ReadBatch extends OriginalBatch {
    readonly isHeldBack: boolean;
    readonly #next: bigint;

    constructor(topic: string, offset: string, data: PartitionData, next: bigint, isHeldBack: boolean) {
      super(topic, offset, data);
      this.#next = next;
      this.isHeldBack = isHeldBack;
    }

    override lastOffset(): string {
      return this.messagesWithinOffset.length > 0 ? super.lastOffset() : String(this.#next - 1n);
    }
  }
  return class PatchedBatch extends OriginalBatch {
    readonly #data: PartitionData;

    constructor(topic: string, fetchedOffset: string, data: PartitionData) {
      super(topic, fetchedOffset, data);
      this.#data = data;
    }

    async read({ bytes, firstBytes }: FetchRoom): Promise<FetchedBatch & { readonly isHeldBack: boolean }> {
      const { topic, fetchedOffset } = this;
      const set = takeUnread(this.#data.messages);
      const from = BigInt(fetchedOffset);
      if (set === undefined) return new ReadBatch(topic, fetchedOffset, this.#data, from, false);
      const demand = { from, highWatermark: BigInt(this.highWatermark), bytes, firstBytes };
      const { messages, next, isHeldBack } = await turns.take(() => readRecordSet(set, demand, formats));
      return new ReadBatch(topic, fetchedOffset, { ...this.#data, messages }, next, isHeldBack);
    }

    drop(): void {
      const set = takeUnread(this.#data.messages);
      if (set !== undefined) giveBack(set);
    }
  };
}
