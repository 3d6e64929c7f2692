import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ranges } from '../../../src/commands/status-text.ts';

test('numbers as ranges', () => {
  assert.equal(ranges([]), '-');
  assert.equal(ranges([4]), '4');
  assert.equal(ranges([0, 1, 2, 5, 7, 8]), '0-2,5,7-8');
});
