import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WIDTH, wrap } from '../../../../../src/app/commands/text/wrap.ts';

test('lines keep within the width, and lose no word', () => {
  const words = Array.from({ length: 80 }, (_, at) => 'x'.repeat((at % 13) + 1));
  const lines = wrap(`  ${words.join(' ')}`, 6);
  assert.ok(lines.length > 3);
  assert.ok(lines.every((line) => line.length <= WIDTH));
  assert.match(lines[0]!, /^ {2}x/);
  for (const line of lines.slice(1)) assert.match(line, /^ {6}x/);
  assert.deepEqual(lines.join(' ').trim().split(/ +/), words);
});

test('a long word stays whole; a short text is one line', () => {
  const long = 'y'.repeat(WIDTH + 20);
  assert.deepEqual(wrap(`a ${long} b`, 2), ['a', `  ${long}`, '  b']);
  assert.deepEqual(wrap('a  b', 2), ['a  b']);
  assert.deepEqual(wrap('', 2), ['']);
});
