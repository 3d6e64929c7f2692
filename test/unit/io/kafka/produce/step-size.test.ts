import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryableError } from '../../../../../src/core/model/errors.ts';
import {
  FatalKafkaError,
  RecordsRefusedError,
  StaleMembershipError,
} from '../../../../../src/io/kafka/errors.ts';
import { StepSize } from '../../../../../src/io/kafka/produce/step-size.ts';
import { seriesRecord } from '../../../../support/records.ts';

const records = (count: number) => Array.from({ length: count }, (_, offset) => seriesRecord(offset, []));
const REFUSED = new RecordsRefusedError('message_too_large', 'too large');

test('a refused step is halved down to the record at fault, which is then known', () => {
  const size = new StepSize(30_000);
  const taken: number[] = [];
  for (let count = 100; count > 1; count = Math.min(100, size.records)) {
    taken.push(count);
    assert.ok(size.failed(REFUSED, records(count), 10) instanceof RetryableError);
  }
  assert.deepEqual(taken, [100, 50, 25, 12, 6, 3]);
  const [bad] = records(1);
  assert.equal(size.refusalOf(bad!), undefined);
  assert.ok(size.failed(REFUSED, [bad!], 10) instanceof RetryableError);
  assert.equal(size.refusalOf(bad!)?.reason, 'message_too_large');
  assert.equal(size.refusalOf({ partition: 0, offset: 1n }), undefined);
  // Its dead letter is refused as well: the operator has to act.
  assert.equal(size.failed(REFUSED, [bad!], 10), REFUSED);
  size.published();
  assert.equal(size.refusalOf(bad!), undefined);
  assert.equal(size.records, 2);
});

test('a step that did not end in time is halved; steps that are published grow again', () => {
  const size = new StepSize(1_000);
  const error = new Error('timed out');
  assert.equal(size.failed(error, records(64), 499), error);
  assert.equal(size.records, 5_000);
  size.failed(error, records(64), 500);
  assert.equal(size.records, 32);
  for (let i = 0; i < 10; i++) size.published();
  assert.equal(size.records, 5_000);
});

test('a step that fails again and again is halved, whatever for; a rebalance says nothing about it', () => {
  const size = new StepSize(30_000);
  const error = new Error('the broker hung up');
  for (let i = 0; i < 5; i++) size.failed(new StaleMembershipError('moved'), records(64), 0);
  for (let i = 0; i < 2; i++) size.failed(error, records(64), 0);
  assert.equal(size.records, 5_000);
  size.failed(error, records(64), 0);
  assert.equal(size.records, 32);
});

test('trouble of another kind blames no record', () => {
  const size = new StepSize(1_000);
  const error = new FatalKafkaError('no such topic');
  for (let i = 0; i < 10; i++) assert.equal(size.failed(error, records(1), 5_000), error);
  assert.equal(size.refusalOf({ partition: 0, offset: 0n }), undefined);
});

const ENDED = Object.assign(new Error('the transaction is over'), { type: 'INVALID_PRODUCER_EPOCH' });
const outgoing = (count: number, bytes = 1) =>
  Array.from({ length: count }, () => ({
    topic: 't',
    partition: 0,
    key: null,
    value: Buffer.alloc(bytes),
    headers: {},
    timestamp: 0,
  }));

for (const [what, written] of [
  ['records', outgoing(100)],
  ['bytes', outgoing(4, 1024 * 1024)],
] as const) {
  test(`a record of so many ${what} that its transaction ends before it is written is found`, () => {
    const size = new StepSize(1_000);
    const [bad] = records(1);
    for (let i = 0; i < 3; i++) {
      assert.equal(size.refusalOf(bad!), undefined);
      assert.equal(size.failed(ENDED, [bad!], 900, written), ENDED);
    }
    assert.equal(size.refusalOf(bad!)?.reason, 'transaction_timeout');
    assert.match(size.refusalOf(bad!)!.message, /worker.transaction_timeout/);
    assert.equal(size.refusalOf({ ...bad!, partition: 1 }), undefined);
  });
}

test('a record that writes little, or fails early or for want of a broker, is not blamed for time', () => {
  const [good] = records(1);
  const failures: [unknown, number, ReturnType<typeof outgoing>][] = [
    [ENDED, 900, outgoing(99)],
    [ENDED, 400, outgoing(100)],
    [new Error('the broker hung up'), 900, outgoing(100)],
  ];
  for (const [error, ms, written] of failures) {
    const size = new StepSize(1_000);
    for (let i = 0; i < 10; i++) size.failed(error, [good!], ms, written);
    assert.equal(size.refusalOf(good!), undefined);
  }
  const size = new StepSize(1_000);
  for (let i = 0; i < 10; i++) {
    size.failed(ENDED, [good!], 900, outgoing(100));
    if (i % 2 === 1) size.published();
  }
  assert.equal(size.refusalOf(good!), undefined);
});
