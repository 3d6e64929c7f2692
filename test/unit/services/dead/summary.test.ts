import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoredLetter } from '../../../../src/core/record/stored-letter.ts';
import { LetterCounts } from '../../../../src/services/dead/summary.ts';

function letter(offset: number, timestamp: number, reason = 'r'): StoredLetter {
  const record = {
    topic: 'dead',
    partition: 1,
    offset: BigInt(offset),
    timestamp,
    key: null,
    value: null,
    headers: {},
  };
  const source = { topic: 'raw', partition: 0, offset: 0n };
  return { record, stage: 'decode', reason, message: `m${offset}`, source, redriven: 0, firstSeen: '' };
}

test('of each kind the last letters are named, the last first, in whatever order they come', () => {
  const counts = new LetterCounts();
  for (const [offset, ms] of [
    [3, 30],
    [1, 10],
    [9, 90],
    [2, 20],
    [7, 70],
    [5, 50],
    [8, 80],
  ] as const)
    counts.add(letter(offset, ms));
  counts.add(letter(4, 40, 'other'));
  const [most, other] = counts.finish(() => false);
  assert.deepEqual(most!.examples, ['1:9', '1:8', '1:7', '1:5', '1:3']);
  assert.deepEqual([most!.letters, most!.message, most!.firstMs, most!.lastMs], [7, 'm9', 10, 90]);
  assert.deepEqual(other!.examples, ['1:4']);
});
