import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ageText, ranges } from '../../../../src/services/status/texts.ts';

test('numbers as ranges', () => {
  assert.equal(ranges([]), '-');
  assert.equal(ranges([4]), '4');
  assert.equal(ranges([0, 1, 2, 5, 7, 8]), '0-2,5,7-8');
});

test('ages in units that one reads', () => {
  const ages = [0, 59.9, 60, 3599, 3600, 7500, 86_400, 100_000].map(ageText);
  assert.deepEqual(ages, ['0 s', '59 s', '1 min', '59 min', '1 h', '2 h 5 min', '1 d', '1 d 3 h']);
});
