/** Holds the one-way dependencies of ARCHITECTURE.md. A new folder in src/ needs a line in MAY_IMPORT. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';
import { ROOT } from '../support/cache.ts';
import { findCycle, type Import, importsOf, readImports } from '../support/imports.ts';

const SRC = path.join(ROOT, 'src');

/** Folders of src/; the files at its top are the `pipeline`, except cli.ts. Each may import itself. */
const PURE = ['model', 'wire', 'decode', 'relabel', 'hash'];
const SERVICES = ['kafka', 'telemetry', 'credentials', 'model', 'wire', 'hash', 'pipeline'];
const MAY_IMPORT: Record<string, string[]> = {
  model: [],
  wire: ['model'],
  decode: ['wire', 'model'],
  hash: ['model', 'wire'],
  relabel: ['model', 'hash'],
  pipeline: PURE,
  generate: ['model', 'wire'],
  credentials: ['model', 'options'],
  kafka: ['credentials', 'model', 'wire'],
  telemetry: ['model'],
  registry: ['credentials', 'decode', 'model'],
  ingest: [...SERVICES, 'decode', 'publish', 'registry'],
  publish: SERVICES,
  drain: SERVICES,
  dead: [...SERVICES, 'decode'],
  replay: [...PURE, ...SERVICES, 'publish', 'drain'],
  topics: SERVICES,
  status: SERVICES,
  supervisor: SERVICES,
  config: [...PURE, 'pipeline', 'options'],
  commands: [
    ...PURE,
    ...SERVICES,
    'registry',
    'ingest',
    'publish',
    'drain',
    'dead',
    'replay',
    'generate',
    'topics',
    'status',
    'supervisor',
    'config',
    'options',
  ],
  cli: ['commands', 'config', 'model'],
  options: ['model', 'hash'],
};

/** Packages and parts of Node that reach outside of the process or know how it is run. */
const IMPURE =
  /^(pino|prom-client|kafkajs|undici|convict|node:(fs|net|tls|dgram|dns|https?|http2|child_process|worker_threads|cluster|timers)(\/.*)?)$/;

const OPTIONS_FILE = /(^|[/-])options\.ts$|^option-types\.ts$/;

/** The part of src/ that a file belongs to. */
function partOf(file: string): string {
  if (file === 'cli.ts') return 'cli';
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : 'pipeline';
}

/** Why this import breaks a rule, or undefined. */
function violation({ from, to, local }: Import): string | undefined {
  const part = OPTIONS_FILE.test(from) ? 'options' : partOf(from);
  const says = (reason: string) => `src/${from} imports ${local ? `src/${to}` : to}: ${reason}`;
  if (!local) {
    if (to === 'kafkajs' && partOf(from) !== 'kafka') return says('only src/io/kafka knows kafkajs');
    if (PURE.includes(part) && IMPURE.test(to)) return says(`${part} does no I/O and knows no logger`);
    if (part === 'options' && to !== 'zod') return says('options files import zod and no other package');
    return undefined;
  }
  const allowed = MAY_IMPORT[part];
  if (allowed === undefined) return says(`give src/${part} a line in MAY_IMPORT of this test`);
  const bothOptions = OPTIONS_FILE.test(to) && (part === 'options' || allowed.includes('options'));
  if (partOf(to) === part || allowed.includes(partOf(to)) || bothOptions) return undefined;
  return says(`${part} may import ${allowed.join(', ') || 'nothing'}`);
}

describe('architecture', () => {
  const imports = readImports(SRC);

  test('dependencies point one way', () => {
    assert.ok(imports.length > 0);
    assert.deepEqual(imports.map(violation).filter(Boolean), []);
  });

  test('no file imports itself through others', () => {
    assert.equal(findCycle(imports)?.join(' ▸ '), undefined);
  });
});

describe('the rules themselves', () => {
  const breaks = (from: string, to: string, local = true) => violation({ from, to, local }) !== undefined;

  test('forbid what they must', () => {
    assert.ok(breaks('core/model/labels.ts', 'core/wire/bytes.ts'));
    assert.ok(breaks('services/drain/forwarder.ts', 'services/worker/worker.ts'));
    assert.ok(breaks('services/drain/forwarder.ts', 'app/config/load.ts'));
    assert.ok(breaks('io/kafka/client.ts', 'io/telemetry/log.ts'));
    assert.ok(breaks('services/drain/forwarder.ts', 'services/worker/options.ts'));
    assert.ok(breaks('services/drain/options.ts', 'core/pipeline/pipeline.ts'));
    assert.ok(breaks('services/drain/forwarder.ts', 'kafkajs', false));
    assert.ok(breaks('core/hash/task.ts', 'node:fs', false));
    assert.ok(breaks('io/kafka/options.ts', 'pino', false));
    assert.ok(breaks('new-folder/file.ts', 'core/model/labels.ts'));
  });

  test('allow what they must', () => {
    assert.ok(!breaks('services/drain/forwarder.ts', 'io/kafka/client.ts'));
    assert.ok(!breaks('services/drain/options.ts', 'core/options/types.ts'));
    assert.ok(!breaks('app/config/schema.ts', 'services/drain/options.ts'));
    assert.ok(!breaks('io/kafka/client.ts', 'kafkajs', false));
  });

  test('see every form of import, and none in comments', () => {
    const source = [
      "import { a } from './a.ts';",
      "import type { B } from './b.ts';",
      "import './c.ts';",
      "export * from './d.ts';",
      'import {',
      '  e,',
      "} from './e.ts';",
      "const f = await import('./f.ts');",
      "// import { x } from './x.ts';",
      " * const y = await import('./y.ts');",
      "export const z = 'z';",
    ].join('\n');
    assert.deepEqual(importsOf(source).sort(), ['./a.ts', './b.ts', './c.ts', './d.ts', './e.ts', './f.ts']);
  });

  test('find a cycle', () => {
    const chain = (...files: string[]) =>
      files.slice(1).map((to, index) => ({ from: files[index]!, to, local: true }));
    assert.deepEqual(findCycle(chain('a', 'b', 'c', 'b')), ['b', 'c', 'b']);
    assert.equal(findCycle([...chain('a', 'b', 'd'), ...chain('a', 'c', 'd')]), undefined);
  });
});
