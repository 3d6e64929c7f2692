import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateLimit } from '../../../../src/services/replay/rate-limit.ts';

test('without a rate no step waits, and steps are as large as they may be', () => {
  const pace = new RateLimit();
  const { limits } = pace;
  pace.spent(1_000_000, 50_000, 0);
  assert.equal(pace.waitMs(0), 0);
  assert.deepEqual(pace.limits, limits);
  assert.ok(limits.maxBytes >= 1024 * 1024);
});

test('a rate holds over many steps, and idle time is not made up for', () => {
  const pace = new RateLimit(1_000);
  let nowMs = 0;
  for (let step = 0; step < 50; step++) {
    nowMs += pace.waitMs(nowMs);
    pace.spent(5_000, 500, nowMs);
  }
  assert.equal(nowMs, 49 * 500, '500 samples at 1,000 a second take half a second each');
  nowMs += 3_600_000;
  assert.equal(pace.waitMs(nowMs), 0);
  pace.spent(5_000, 500, nowMs);
  assert.equal(pace.waitMs(nowMs), 500, 'an hour of pause gives no burst');
});

test('steps that begin late by a little do not add up', () => {
  const pace = new RateLimit(1_000);
  let nowMs = 10_000;
  for (let step = 0; step < 50; step++) {
    nowMs += pace.waitMs(nowMs) + 40;
    pace.spent(2_000, 200, nowMs);
  }
  assert.equal(nowMs, 10_040 + 49 * 200 + 40);
});

test('the first step of a rated replay is one record; then steps are what may go in a fifth of a second', () => {
  const pace = new RateLimit(1_000);
  assert.equal(pace.limits.maxRecords, 1);
  pace.spent(2_000, 100, 0);
  assert.equal(pace.limits.maxBytes, 1_000 * 0.2 * 20);
  pace.spent(2_000, 0, 0);
  assert.equal(pace.limits.maxBytes, 1_000 * 0.2 * 20, 'a step without samples says nothing of their size');
});

test('it waits as long as it yields', () => {
  const pace = new RateLimit();
  pace.yielding = true;
  assert.equal(pace.waitMs(0), Number.POSITIVE_INFINITY);
  pace.yielding = false;
  assert.equal(pace.waitMs(0), 0);
});
