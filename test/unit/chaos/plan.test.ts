import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAULT_KINDS, planFaults } from '../../chaos/plan.ts';

test('a seed names one plan of faults, another seed another', () => {
  assert.deepEqual(planFaults(7, 60_000), planFaults(7, 60_000));
  assert.notDeepEqual(planFaults(7, 60_000), planFaults(8, 60_000));
});

test('the plan of three minutes has every kind of fault, and faults that overlap', () => {
  const plan = planFaults(1, 180_000);
  assert.deepEqual(new Set(plan.map(({ kind }) => kind)), new Set(FAULT_KINDS));
  const overlaps = plan.filter(
    ({ atMs, forMs }, index) => atMs + forMs > (plan[index + 1]?.atMs ?? Infinity),
  );
  assert.ok(overlaps.length > plan.length / 3, `${overlaps.length} of ${plan.length}`);
});
