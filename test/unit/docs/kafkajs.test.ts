/** docs/internals/kafkajs.md names every module of kafkajs that is replaced, and files that exist. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../lab/cache.ts';

const PAGE = readFileSync(path.join(ROOT, 'docs/internals/kafkajs.md'), 'utf8');

test('every replaced module has a row', () => {
  const [load] = globSync('src/**/kafka/patch/load.ts', { cwd: ROOT });
  const source = readFileSync(path.join(ROOT, load!), 'utf8');
  const modules = [
    ...source.matchAll(
      /^\s*(?:replace(?:<[^(]*>)?\(\s*)?'((?:protocol|consumer|network|broker|cluster|admin|producer|utils)\/[^']*\.js)'/gm,
    ),
  ];
  assert.ok(modules.length > 15, `${modules.length} modules`);
  const cells = [...PAGE.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell]) => cell!.split(', '));
  const missing = modules
    .map(([, module]) => module!.replace(/(?:\/index|\/v\d+\/\w+)?\.js$/, ''))
    .filter(
      (module) => !cells.some((cell) => cell === `\`${module}\`` || cell === `\`${path.basename(module)}\``),
    );
  assert.deepEqual(missing, []);
});

test('the files that the page names exist', () => {
  const files = new Set(globSync('src/**/*.ts', { cwd: ROOT }).map((file) => path.basename(file)));
  const named = [...PAGE.matchAll(/`([a-z0-9-]+\.ts)`/g)].map(([, file]) => file!);
  assert.ok(named.length > 25);
  assert.deepEqual(
    named.filter((file) => !files.has(file)),
    [],
  );
});
