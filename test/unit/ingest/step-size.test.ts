import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StepSize } from '../../../src/ingest/step-size.ts';
import { KafkaSetupError, RecordsRefusedError, StaleMembershipError } from '../../../src/kafka/errors.ts';
import { RetryableError } from '../../../src/model/errors.ts';
import { seriesRecord } from '../../support/records.ts';

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
  assert.equal(size.refusalOf({ offset: 1n }), undefined);
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
  const error = new KafkaSetupError('no such topic');
  for (let i = 0; i < 10; i++) assert.equal(size.failed(error, records(1), 5_000), error);
  assert.equal(size.refusalOf({ offset: 0n }), undefined);
});
