import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reasonsToKeep } from '../../../../src/app/commands/forget.ts';
import type { Leftover } from '../../../../src/services/drain/leftovers.ts';

const LEFT: Leftover = { node: 'gone', topic: 'tasks', group: 'g', live: false, needed_for: [] };

test('a group goes when no drain of it runs and no position depends on it', () => {
  assert.deepEqual(reasonsToKeep(LEFT), []);
  assert.match(reasonsToKeep({ ...LEFT, live: true })[0]!, /^a drain of gone still reads tasks \(group g\)/);
  assert.match(
    reasonsToKeep({ ...LEFT, needed_for: [1, 2, 5] })[0]!,
    /^partition 1-2,5 of tasks has gone to no/,
  );
});
