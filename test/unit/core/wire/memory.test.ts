import assert from 'node:assert/strict';
import { test } from 'node:test';
import { giveBack, Lease, lend } from '../../../../src/core/wire/memory.ts';

const SIZE = 100_000;

test('what is given back is empty for those who still hold it, and is lent again', () => {
  const first = lend(SIZE);
  assert.equal(first.length, SIZE);
  const slice = first.subarray(10, 20).fill(7);
  giveBack(first);
  assert.equal(first.length, 0);
  assert.equal(slice.length, 0);
  const second = lend(SIZE + 1);
  assert.equal(second[10], 7);
  second.fill(8);
  assert.equal(slice.length, 0);
});

test('a slice gives back all of it; a second time does nothing', () => {
  const memory = lend(SIZE);
  const slice = memory.subarray(5, 6);
  giveBack(slice);
  assert.equal(memory.length, 0);
  const next = lend(SIZE);
  giveBack(slice);
  assert.equal(next.length, SIZE);
});

test('a lease gives its memory back once, and knows what of it is unused', () => {
  const memory = lend(SIZE);
  const slice = memory.subarray(5, 6);
  const lease = new Lease(memory);
  assert.equal(lease.unusedBytes, 2 ** 17 - SIZE);
  lease.end();
  assert.deepEqual([slice.length, lease.unusedBytes], [0, 0]);
  const next = lend(SIZE);
  lease.end();
  assert.equal(next.length, SIZE);
});

test('memory that was not lent is freed only where it is all of the buffer', () => {
  const whole = Buffer.allocUnsafeSlow(SIZE);
  const [own, part] = [Buffer.allocUnsafeSlow(50), whole.subarray(1)];
  giveBack(own);
  assert.equal(own.length, 0);
  giveBack(part);
  assert.equal(part.length, SIZE - 1);
});

test('memory is kept up to a limit', () => {
  const many = Array.from({ length: 8 }, () => lend(8 * 1024 * 1024));
  for (const memory of many) giveBack(memory);
  const before = process.memoryUsage().arrayBuffers;
  const again = Array.from({ length: 4 }, () => lend(8 * 1024 * 1024));
  assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024, 'four of them were kept');
  assert.ok(before < 64 * 1024 * 1024, 'not all eight were kept');
  for (const memory of again) giveBack(memory);
});
