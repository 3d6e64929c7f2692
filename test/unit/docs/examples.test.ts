/** Configurations and parts of them that the documents show are valid. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { parseConfig } from '../../../src/app/config/load.ts';
import { ROOT } from '../../lab/cache.ts';

const SECTION = /^(?:kafka|worker|registry|routes|nodes|drain|topics|admin):/m;

const examples = globSync(['README.md', 'docs/**/*.md'], { cwd: ROOT }).flatMap((file) => {
  const text = readFileSync(path.join(ROOT, file), 'utf8');
  const blocks = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, block]) => block!);
  return blocks.filter((block) => SECTION.test(block)).map((block) => ({ file, block }));
});

test('there are examples', () => assert.ok(examples.length >= 2));

for (const [at, { file, block }] of examples.entries()) {
  test(`${file}, example ${at + 1}`, () => {
    assert.doesNotThrow(() => parseConfig(block, file, {}, () => ''));
  });
}
