/** The generated pages of docs/reference, and the comments of the example configuration, say what the code says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { referencePages } from '../../../tools/reference/pages.ts';
import { ROOT } from '../../lab/cache.ts';

const pages = await referencePages();

for (const [file, expected] of pages) {
  test(`${file} is current; else run npm run reference`, () => {
    assert.equal(readFileSync(path.join(ROOT, file), 'utf8'), expected);
  });
}

const configuration = pages.get('docs/reference/configuration.md')!;

/** Cells of the rows of a key, in all sections. */
function rowsOf(key: string): string[][] {
  const lines = configuration.split('\n').filter((line) => line.startsWith(`| \`${key}\` |`));
  return lines
    .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()))
    .map((cells) => cells.slice(1, -1));
}

test('a key has its type, default, effects of a reload and environment variable', () => {
  const [queue] = rowsOf('queue_bytes');
  assert.deepEqual(queue!.slice(0, 6), [
    '`queue_bytes`',
    'size',
    '`64MiB`',
    'yes',
    '–',
    '`PENSTOCK_WORKER_QUEUE_BYTES`',
  ]);
  const [deadline] = rowsOf('stop_deadline');
  assert.deepEqual(deadline!.slice(0, 3), ['`stop_deadline`', 'duration', '`20s`']);
  const [password] = rowsOf('basic_auth.password');
  assert.equal(password![1], 'secret');
  const [count] = rowsOf('task.count');
  assert.deepEqual(count!.slice(1, 3), ['integer, 1 to 100000', 'required']);
});

test('every row has a text', () => {
  const rows = configuration.split('\n').filter((line) => line.startsWith('| `'));
  assert.ok(rows.length > 120, `${rows.length} rows`);
  assert.deepEqual(
    rows.filter((row) => /\|\s*\|$/.test(row)),
    [],
  );
});
