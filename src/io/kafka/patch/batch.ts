import { giveBack } from '../../../core/wire/memory.ts';
import { type OriginalFormats, readRecordSet, takeUnread } from './record-set.ts';
import type { AbortedTransaction, FetchedBatch, FetchRoom, RawMessage } from './types.ts';

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

/** Semaphore: runs at most `atOnce` pieces of work at once; the others wait, in order. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

/** Record sets read concurrently in a process: each may have a whole batch decompressed (client/codecs.ts). */
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

/** A control record's key: int16 version, int16 type. Type 0 is ABORT, 1 is COMMIT. */
const ABORT_MARKER_TYPE = 0;

function isAbortMarker(message: RawMessage): boolean {
  const key = message.key;
  return (
    message.isControlRecord && key !== null && key.length >= 4 && key.readInt16BE(2) === ABORT_MARKER_TYPE
  );
}

/**
 * Takes the records of aborted transactions out of a fetched batch (KIP-98, "consumer" section).
 *
 * Replaces kafkajs' `consumer/filterAbortedMessages`, which relies on aborted transactions being listed by
 * first offset. Brokers list them by completion, so two overlapping aborted transactions leak records there.
 * It also took any record with a key of four zero bytes for an abort marker; here only control records are.
 *
 * Control records stay in the result: the caller removes them, and needs their offsets.
 */
export function filterAbortedMessages(input: {
  messages: RawMessage[];
  abortedTransactions?: AbortedTransaction[] | null;
}): RawMessage[] {
  const { messages, abortedTransactions } = input;
  if (!abortedTransactions || abortedTransactions.length === 0) return messages;
  const pending = abortedTransactions
    .map(({ producerId, firstOffset }) => ({ producerId: String(producerId), first: BigInt(firstOffset) }))
    .sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  let next = 0;
  const aborted = new Set<string>();
  return messages.filter((message) => {
    const offset = BigInt(message.offset);
    while (next < pending.length && pending[next]!.first <= offset) aborted.add(pending[next++]!.producerId);
    const { producerId, inTransaction } = message.batchContext;
    const producer = String(producerId);
    if (isAbortMarker(message)) {
      aborted.delete(producer);
      return true;
    }
    return message.isControlRecord || !inTransaction || !aborted.has(producer);
  });
}
