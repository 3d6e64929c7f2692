import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecompressionRatio } from '../../../../src/io/kafka/partition-queue.ts';

test('what has not been fetched yet may expand to much; the first fetch says how much', () => {
  for (const [queued, expected] of [
    [1000, 1],
    [20_000, 20],
    [10, 1],
  ] as const) {
    const expansion = new DecompressionRatio();
    assert.equal(expansion.value, 8);
    expansion.fetched(1000, queued);
    assert.equal(expansion.value, expected);
  }
});

test('more counts at once, less bit by bit', () => {
  const expansion = new DecompressionRatio();
  expansion.fetched(1000, 2000);
  expansion.fetched(1000, 10_000);
  assert.equal(expansion.value, 10);
  expansion.fetched(1000, 2000);
  assert.equal(expansion.value, 9);
});

test('at the end of a partition it comes to one', () => {
  const fresh = new DecompressionRatio();
  fresh.fetched(0, 0);
  assert.equal(fresh.value, 1);
  const expansion = new DecompressionRatio();
  expansion.fetched(1000, 20_000);
  for (let i = 0; i < 60; i++) expansion.fetched(0, 0);
  assert.ok(expansion.value < 1.01);
});
