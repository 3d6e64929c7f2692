import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { OutgoingRecord } from '../../../../../src/core/model/records.ts';
import { refusedForGood } from '../../../../../src/io/kafka/produce/send-rounds.ts';

function record(topic: string, timestamp: number): OutgoingRecord {
  return { topic, partition: 0, key: null, value: Buffer.alloc(1), headers: {}, timestamp };
}
const answer = (type: string) => Object.assign(new Error(type), { type });

describe('refusedForGood', () => {
  test('names the topic, the times and the settings', () => {
    const records = [record('tasks', 1_760_000_000_000), record('tasks', 1_760_000_060_000)];
    const { message } = refusedForGood(answer('INVALID_TIMESTAMP'), records)!;
    assert.match(
      message,
      /for topic tasks for their time, 2025-10-09T08:53:20.000Z to 2025-10-09T08:54:20.000Z, which is that of writing: the clock/,
    );
    assert.match(message, /message\.timestamp\.after\.max\.ms .* Set the clock/);
  });

  test('names all topics where it may be any, and times that no calendar has', () => {
    const { message } = refusedForGood(answer('INVALID_TIMESTAMP'), [record('a', 9e15), record('b', 9e15)])!;
    assert.match(message, /for one of the topics a, b for their time, 9000000000000000 ms since 1970,/);
  });

  test('names the topic that the answer names', () => {
    const named = Object.assign(answer('INVALID_TIMESTAMP'), { topic: 'b', partition: 0 });
    const { message } = refusedForGood(named, [record('a', 0), record('b', 1_760_000_000_000)])!;
    assert.match(message, /for topic b for their time, 2025-10-09T08:53:20.000Z,/);
  });

  test('of an invalid record says what a topic of Penstock must not be', () => {
    assert.match(
      refusedForGood(answer('INVALID_RECORD'), [record('a', 0)])!.message,
      /cleanup\.policy compact/,
    );
  });

  test('knows no other answer', () => {
    assert.equal(refusedForGood(answer('NOT_ENOUGH_REPLICAS'), [record('a', 0)]), undefined);
    assert.equal(refusedForGood(new Error('Broker not connected'), [record('a', 0)]), undefined);
  });
});
