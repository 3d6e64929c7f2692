import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { filterAbortedMessages } from '../../../../../src/io/kafka/patch/batch.ts';
import type { AbortedTransaction, RawMessage } from '../../../../../src/io/kafka/patch/types.ts';

type Action = { does: 'plain' } | { does: 'write' | 'abort' | 'commit'; producer: number };

interface Log {
  messages: RawMessage[];
  aborted: (AbortedTransaction & { lastOffset: number })[];
  /** Offsets that a read_committed reader must see. */
  visible: Set<number>;
}

/** The model: a partition's log, written by producers one action after the other. */
function write(actions: readonly Action[]): Log {
  const log: Log = { messages: [], aborted: [], visible: new Set() };
  const open = new Map<number, number[]>();
  const append = (
    producerId: string,
    inTransaction: boolean,
    key: Buffer | null,
    isControlRecord = false,
  ) => {
    const offset = log.messages.length;
    log.messages.push({
      offset: String(offset),
      key,
      isControlRecord,
      batchContext: { producerId, inTransaction },
    });
    return offset;
  };
  const end = (producer: number, commit: boolean) => {
    const offsets = open.get(producer);
    if (offsets === undefined) return;
    open.delete(producer);
    const marker = append(String(producer), true, Buffer.from([0, 0, 0, commit ? 1 : 0]), true);
    if (commit) for (const offset of offsets) log.visible.add(offset);
    else
      log.aborted.push({ producerId: String(producer), firstOffset: String(offsets[0]), lastOffset: marker });
  };
  for (const action of actions) {
    if (action.does === 'plain') log.visible.add(append('-1', false, Buffer.alloc(4)));
    else if (action.does === 'write') {
      const offsets = open.get(action.producer) ?? [];
      offsets.push(append(String(action.producer), true, Buffer.alloc(4)));
      open.set(action.producer, offsets);
    } else end(action.producer, action.does === 'commit');
  }
  for (const producer of [...open.keys()]) end(producer, true);
  return log;
}

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.constant({ does: 'plain' as const }),
  fc.record({
    does: fc.constantFrom('write' as const, 'write' as const, 'abort' as const, 'commit' as const),
    producer: fc.integer({ min: 1, max: 3 }),
  }),
);
const log = fc.array(action, { maxLength: 40 }).map(write);
const visibleOffsets = (messages: RawMessage[]) =>
  messages.filter(({ isControlRecord }) => !isControlRecord).map(({ offset }) => Number(offset));

describe('filterAbortedMessages', () => {
  test('leaves exactly the committed records, in whatever order the broker lists what was aborted', () => {
    const listed = log.chain((written) =>
      fc.tuple(
        fc.constant(written),
        fc.shuffledSubarray(written.aborted, { minLength: written.aborted.length }),
        fc.nat(written.messages.length),
      ),
    );
    fc.assert(
      fc.property(listed, ([{ messages, visible }, aborted, from]) => {
        // What a broker answers to a fetch from the middle: transactions that end behind the offset.
        const abortedTransactions = aborted.filter(({ lastOffset }) => lastOffset >= from);
        const seen = filterAbortedMessages({ messages: messages.slice(from), abortedTransactions });
        assert.deepEqual(
          visibleOffsets(seen),
          [...visible].filter((offset) => offset >= from).sort((a, b) => a - b),
        );
      }),
      { numRuns: 500 },
    );
  });

  test('keeps every control record: their offsets count', () => {
    fc.assert(
      fc.property(log, ({ messages, aborted }) => {
        const kept = filterAbortedMessages({ messages, abortedTransactions: aborted });
        const controls = (list: RawMessage[]) => list.filter(({ isControlRecord }) => isControlRecord);
        assert.deepEqual(controls(kept), controls(messages));
      }),
    );
  });

  test('returns everything when nothing was aborted', () => {
    const { messages } = write([{ does: 'plain' }, { does: 'write', producer: 1 }]);
    for (const abortedTransactions of [null, undefined, []]) {
      assert.equal(
        filterAbortedMessages({
          messages,
          ...(abortedTransactions === undefined ? {} : { abortedTransactions }),
        }),
        messages,
      );
    }
  });
});
