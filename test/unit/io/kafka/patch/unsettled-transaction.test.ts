import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kafkaErrorType } from '../../../../../src/io/kafka/errors.ts';
import {
  nameCoordinator,
  transactionError,
  UnsettledTransactionError,
} from '../../../../../src/io/kafka/patch/coordinators.ts';

/** As kafkajs throws what it has tried several times. */
function tried(coordinator?: Parameters<typeof nameCoordinator>[1]): Error {
  const answer = Object.assign(new Error('concurrent'), { type: 'CONCURRENT_TRANSACTIONS' });
  if (coordinator !== undefined) nameCoordinator(answer, coordinator);
  return Object.assign(new Error('concurrent', { cause: answer }), {
    name: 'KafkaJSNumberOfRetriesExceeded',
  });
}

function brokerOf(txnOffsetCommit: number) {
  const versions = { 28: { maxVersion: txnOffsetCommit } };
  return { nodeId: '2', brokerAddress: 'kafka-2:9092', versions };
}

test('a transaction that does not end: of whom, who has to end it, and what to do', () => {
  const error = transactionError(tried(brokerOf(4)), 'group/topic/7');
  assert.ok(error instanceof UnsettledTransactionError);
  assert.equal(
    error.message,
    'Kafka does not end the last transaction of group/topic/7: broker 2 (kafka-2:9092), which coordinates it, answers ' +
      'CONCURRENT_TRANSACTIONS. It cannot while a partition that the transaction wrote to, or of __consumer_offsets, has ' +
      'no leader or too few replicas in sync: look for those first. If there are none, restart that broker ' +
      '(docs/operations/runbooks.md)',
  );
  assert.equal(error.transactionalId, 'group/topic/7');
  assert.equal(kafkaErrorType(error), 'CONCURRENT_TRANSACTIONS');
});

test('before Kafka 3.8 the coordinator itself may be at fault, and is said to be', () => {
  const message = (maxVersion: number) => String(transactionError(tried(brokerOf(maxVersion)), 'g/t/0'));
  const forgets = /restart that broker: Kafka before 3\.8, as this one, can lose sight of a transaction/;
  assert.match(message(3), forgets);
  assert.doesNotMatch(message(4), forgets);
});

test('whose answer it is may not be known', () => {
  assert.match(String(transactionError(tried(), 'g/t/0')), /of g\/t\/0: its coordinator answers/);
});

test('other errors stay as they are', () => {
  for (const error of [new Error('no'), Object.assign(new Error('fenced'), { type: 'PRODUCER_FENCED' })])
    assert.equal(transactionError(error, 'g/t/0'), error);
});
