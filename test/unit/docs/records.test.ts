/** docs/reference/records.md has every reason for which a record or a part of it is refused, and the limits with their defaults. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../../src/core/decode/decoder.ts';
import { createDecoders } from '../../../src/core/decode/registry.ts';
import { LineDecoder } from '../../../src/core/decode/text/line-decoder.ts';
import { workerOptions } from '../../../src/services/worker/options.ts';
import { ROOT } from '../../lab/cache.ts';

const PAGE = readFileSync(path.join(ROOT, 'docs/reference/records.md'), 'utf8');
const [, LIMITS = '', REASONS = ''] = PAGE.split(/^## (?:Limits|Reasons)$/m);

/** First cells of the rows of a table. */
function firstCells(section: string): string[] {
  return [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, cell]) => cell!);
}

/** `deliver` has reasons of its own. */
const SOURCES = ['core/**/*', 'io/registry/*', 'io/kafka/**/*', 'services/worker/*'].flatMap((pattern) =>
  globSync(`${pattern}.ts`, { cwd: path.join(ROOT, 'src') }),
);
const SOURCE = SOURCES.map((file) => readFileSync(path.join(ROOT, 'src', file), 'utf8')).join('\n');

function reasonsInSource(): Set<string> {
  const made =
    /(?:PoisonError\(\s*'(?:decode|relabel|encode)',\s*|\b(?:poison|limitBytes|#exceed)\(\s*)'([a-z0-9_]+)'/g;
  const lines = createDecoders()
    .filter((decoder) => decoder instanceof LineDecoder)
    .map(({ name }) => `${name}_line`);
  return new Set([...lines, ...[...SOURCE.matchAll(made)].map(([, reason]) => reason!)]);
}

test('every reason is on the page, and none that there is not', () => {
  const documented = new Set(firstCells(REASONS));
  assert.ok(reasonsInSource().size > 35, `${reasonsInSource().size} found: is the pattern right?`);
  const missing = [...reasonsInSource()].filter((reason) => !documented.has(reason));
  assert.deepEqual(missing, []);
  const unknown = [...documented].filter(
    (reason) => !/_line$/.test(reason) && !SOURCE.includes(`'${reason}'`),
  );
  assert.deepEqual(unknown, []);
});

test('every limit is on the page, with its default', () => {
  const { limits } = workerOptions.parse({});
  assert.deepEqual(firstCells(LIMITS).toSorted(), Object.keys(limits).toSorted());
  const units: Record<string, number> = { bytes: 1, KiB: 2 ** 10, MiB: 2 ** 20, s: 1000, minutes: 60_000 };
  for (const [, name, number, unit] of LIMITS.matchAll(/^\| `([^`]+)` \| (?:(\d+)(?: (\w+))?|none) \|/gm)) {
    const value = number === undefined ? 0 : Number(number) * (unit === undefined ? 1 : units[unit]!);
    assert.equal(limits[name as keyof typeof limits], value, name);
  }
  for (const [name, value] of Object.entries(DEFAULT_LIMITS))
    assert.equal(limits[name as keyof typeof limits], value);
});
