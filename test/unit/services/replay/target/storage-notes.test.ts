import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StorageNotes } from '../../../../../src/services/replay/target/storage-target.ts';

test('what is tried again is said at once, then every half minute, and when it is over', () => {
  const said: string[] = [];
  let nowMs = 0;
  const notes = new StorageNotes(
    (message) => said.push(message),
    () => nowMs,
  );
  for (; nowMs < 65_000; nowMs += 100) notes.retried(new Error('no answer'));
  notes.taken();
  notes.taken();
  notes.retried(new Error('again'));
  assert.deepEqual(said, [
    'no answer; trying again',
    'no answer; tried 301 times in 30 s',
    'no answer; tried 601 times in 60 s',
    'storage takes samples again, after 65 s',
    'again; trying again',
  ]);
});
