import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare, mark } from '../../chaos/coordinators/content.ts';
import { STEPS, stepsOf } from '../../chaos/coordinators/steps.ts';

test('each kill meets all steps, and a partition another one each time', () => {
  for (const kill of [0, 1, 22]) assert.equal(new Set(stepsOf(kill).values()).size, STEPS.length);
  assert.equal(new Set(STEPS.map((_, kill) => stepsOf(kill).get(3))).size, STEPS.length);
});

test('a copy is held against what was to be copied', () => {
  const input = ['0', '1', mark(3), '2', '2', '3'];
  assert.deepEqual(compare(input, input), { lost: 0, repeated: 0, first: undefined });
  const { first, ...counts } = compare(input, ['0', '1', mark(3), '2', '3', '3']);
  assert.deepEqual(counts, { lost: 1, repeated: 1 });
  assert.equal(first, 'next: kill 3: value 4 is 3, 3 instead of 2, 3');
  assert.deepEqual(compare(['0', '1'], ['0', '1', '1']), {
    lost: 0,
    repeated: 1,
    first: 'before the first kill: value 2 is 1 instead of nothing',
  });
  assert.equal(
    compare(['0', '1'], ['1', '0']).first,
    'before the first kill: value 0 is 1, 0 instead of 0, 1',
  );
});
