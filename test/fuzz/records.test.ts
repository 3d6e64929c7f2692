import assert from 'node:assert/strict';
import { test } from 'node:test';
import { threadCpuMs } from '../../src/core/decode/record-budget.ts';
import { cpuOf, PeakMemory } from './cost.ts';
import { recordInput } from './record-inputs.ts';
import { RecordRun } from './record-run.ts';

/** The same inputs in each run of the tests; `npm run fuzz` draws others each time. */
const SEED = 20261130;
const INPUTS = 3000;

test('no reader throws, nor takes more time or memory than it may', () => {
  const run = new RecordRun(SEED);
  for (let index = 0; index < INPUTS && !run.isOver; index++) run.input(index);
  const { failures, outcomes } = run.finish();
  assert.deepEqual(failures, []);
  for (const [outcome, count] of Object.entries(outcomes))
    assert.ok(count > INPUTS / 50, `${count} ${outcome}`);
});

test('an input is the same whenever it is made', () => {
  for (let index = 0; index < 50; index++) assert.deepEqual(recordInput(7, index), recordInput(7, index));
  assert.notDeepEqual(recordInput(7, 1), recordInput(8, 1));
});

test('the oracles see what costs much', () => {
  const spent = cpuOf(() => {
    const end = threadCpuMs() + 20;
    while (threadCpuMs() < end);
  });
  assert.ok(spent > 10, `${spent} ms`);
  const memory = new PeakMemory();
  assert.ok(memory.growthOf(() => void Buffer.alloc(100 * 2 ** 20, 1)) > 90 * 2 ** 20);
  assert.ok(memory.growthOf(() => void Buffer.alloc(10)) < 50 * 2 ** 20);
});
