import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KafkaConnection } from '../../../../../src/io/kafka/client/connection.ts';
import { UnsettledTransactionError } from '../../../../../src/io/kafka/patch/coordinators.ts';
import { BatchLimit } from '../../../../../src/io/kafka/produce/send-rounds.ts';
import {
  NO_MEMBER,
  TransactionalProducer,
} from '../../../../../src/io/kafka/produce/transactional-producer.ts';

const CONCURRENT = { type: 'CONCURRENT_TRANSACTIONS' };

/** kafkajs' producer, whose coordinator does not end the transaction: `where` is the request that it refuses. */
function stuckAt(where: 'commit' | 'transaction'): KafkaConnection {
  const refuse = () => Promise.reject(Object.assign(new Error('concurrent'), CONCURRENT));
  const transaction = { abort: async () => undefined, sendOffsets: async () => undefined, commit: refuse };
  let begun = 0;
  const producer = {
    connect: async () => undefined,
    disconnect: async () => undefined,
    transaction: () => (where === 'transaction' && begun++ > 0 ? refuse() : Promise.resolve(transaction)),
  };
  return { instance: () => ({ producer: () => producer }) } as never;
}

for (const where of ['commit', 'transaction'] as const) {
  test(`a transaction that its coordinator does not end, met at ${where}, says what to do`, async () => {
    const options = { transactionalId: 'g/t/0', timeoutMs: 1_000, limit: new BatchLimit() };
    const producer = await TransactionalProducer.open(stuckAt(where), options);
    const source = {
      groupId: 'g',
      membership: NO_MEMBER,
      topic: 't',
      partitions: [{ partition: 0, offset: 1n }],
    };
    await assert.rejects(producer.send(source, []), (error) => {
      assert.ok(error instanceof UnsettledTransactionError);
      assert.match(error.message, /last transaction of g\/t\/0.*restart that broker/);
      return true;
    });
  });
}
