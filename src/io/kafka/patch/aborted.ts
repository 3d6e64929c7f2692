import type { AbortedTransaction, RawMessage } from './types.ts';

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
