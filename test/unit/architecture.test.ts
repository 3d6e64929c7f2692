/** Holds the floors of ARCHITECTURE.md. A new folder in src/core/ needs a line in CORE. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { ROOT } from '../lab/cache.ts';
import { findCycle, type Import, importsOf, readImports } from '../support/imports.ts';

const SRC = path.join(ROOT, 'src');

/** From the lowest: each may import itself and those before it. cli.ts stands on top. */
const FLOORS = ['core', 'io', 'services', 'app', 'cli.ts'];

/** The rooms of src/core, each with the rooms that it may import. */
const CORE: Readonly<Record<string, readonly string[]>> = {
  model: [],
  options: ['model'],
  wire: ['model'],
  hash: ['model'],
  generate: ['model', 'wire'],
  relabel: ['model', 'hash'],
  record: ['model', 'wire'],
  decode: ['model', 'wire', 'record'],
  route: ['model', 'options', 'hash', 'relabel'],
  pipeline: ['model', 'wire', 'hash', 'decode', 'record'],
};

/** What the core takes from outside of the repository: it computes, and reaches nothing. */
const CORE_PACKAGES: readonly string[] = [
  'node:buffer',
  'node:crypto', // MD5, for hashmod
  'node:module', // loads the native Snappy
  'node:zlib',
  'protobufjs',
  'protobufjs/ext/descriptor.js',
  're2js',
  'yaml',
  'zod',
];

/** Clocks, timers, the environment and output: what comes from there is an argument of the core. */
const OUTSIDE =
  /(?<![.#\w])(?:Date\.now\b|(?:performance|process|console|globalThis)(?=\.)|setTimeout\b|setInterval\b|setImmediate\b|new Date\(\))/g;

/** Files of the core that ask the outside after all. */
const ASKS_OUTSIDE: Readonly<Record<string, { readonly what: string; readonly why: string }>> = {
  'core/pipeline/pipeline.ts': { what: 'Date.now', why: 'the default of `now`, which a caller may give' },
  'core/decode/record-budget.ts': {
    what: 'process',
    why: 'CPU time of the thread: the budget of one record (worker.limits.record_time), which no argument can give',
  },
};

const OPTIONS_FILE = /(^|\/)([\w-]+-)?options\.ts$|^core\/options\//;

const floorOf = (file: string) => FLOORS.indexOf(file.split('/', 1)[0]!);
const roomOf = (file: string) => file.split('/')[1]!;

/** Why this import breaks a rule, or undefined. */
function violation({ from, to, local }: Import): string | undefined {
  const says = (reason: string) => `src/${from} imports ${local ? `src/${to}` : to}: ${reason}`;
  if (floorOf(from) < 0) return `src/${from} is on no floor: ${FLOORS.join(', ')}`;
  const isCore = floorOf(from) === 0;
  if (!local) {
    if (to === 'kafkajs' && !from.startsWith('io/kafka/')) return says('only src/io/kafka knows kafkajs');
    if (OPTIONS_FILE.test(from) && to !== 'zod') return says('options files import zod and no other package');
    if (isCore && !CORE_PACKAGES.includes(to)) return says('the core does no I/O and knows no logger');
    return undefined;
  }
  if (floorOf(to) < 0 || floorOf(to) > floorOf(from)) return says('imports run core ◂ io ◂ services ◂ app');
  if (OPTIONS_FILE.test(from) && floorOf(to) > 0 && !OPTIONS_FILE.test(to))
    return says('options files import the core and each other');
  if (floorOf(from) !== floorOf(to) || roomOf(from) === roomOf(to)) return undefined;
  if (from.startsWith('services/')) return says('no service imports another');
  if (!isCore) return undefined;
  const allowed = CORE[roomOf(from)];
  if (allowed === undefined) return says(`give src/core/${roomOf(from)} a line in CORE of this test`);
  return allowed.includes(roomOf(to)) ? undefined : says(`it may import ${allowed.join(', ') || 'nothing'}`);
}

/** What a source asks of clocks and environment; comments may speak of them. */
function asksOutside(source: string): string[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/\/\/.*$/gm, '');
  return [...new Set([...code.matchAll(OUTSIDE)].map(([what]) => what))];
}

describe('architecture', () => {
  const imports = readImports(SRC);

  test('imports run downwards', () => {
    assert.ok(imports.length > 0);
    assert.deepEqual(imports.map(violation).filter(Boolean), []);
  });

  test('rooms of the core are in an order', () => {
    const rooms = Object.entries(CORE).flatMap(([from, to]) =>
      to.map((one) => ({ from, to: one, local: true })),
    );
    assert.equal(findCycle(rooms)?.join(' ▸ '), undefined);
  });

  test('no file imports itself through others', () => {
    assert.equal(findCycle(imports)?.join(' ▸ '), undefined);
  });

  test('the core asks no clock and no environment', () => {
    const asking = globSync('core/**/*.ts', { cwd: SRC }).flatMap((file) => {
      const listed = ASKS_OUTSIDE[file]?.what;
      const asked = asksOutside(readFileSync(path.join(SRC, file), 'utf8')).filter((what) => what !== listed);
      return asked.map((what) => `src/${file} uses ${what}: take it as an argument`);
    });
    assert.deepEqual(asking, []);
  });

  test('only the app reads the environment', () => {
    const files = globSync('{core,io,services}/**/*.ts', { cwd: SRC });
    const reading = files.filter((file) =>
      /\bprocess\.env\b/.test(readFileSync(path.join(SRC, file), 'utf8')),
    );
    assert.ok(files.length > 0);
    assert.deepEqual(reading, []);
  });
});

/** Files of test/chaos that run what is under test. All others are its truth, and share no code with src. */
const RUN_CHAOS = [
  'chaos.ts',
  'cluster.ts',
  'faults.ts',
  'run.ts',
  'coordinators/coordinators.ts',
  'coordinators/run.ts',
  'coordinators/steps.ts',
];

/** How a file of test/ reaches src, through which files; undefined if it does not. Types are no code. */
function wayToSource(file: string, seen = new Set<string>()): string[] | undefined {
  if (seen.has(file)) return undefined;
  seen.add(file);
  if (file.startsWith('src/')) return [file];
  const code = readFileSync(path.join(ROOT, file), 'utf8').replaceAll(/^import type [^;]*;/gm, '');
  for (const name of importsOf(code).filter((each) => each.startsWith('.'))) {
    const way = wayToSource(path.posix.join(path.posix.dirname(file), name), seen);
    if (way !== undefined) return [file, ...way];
  }
  return undefined;
}

describe('the truth of chaos', () => {
  const files = globSync('**/*.ts', { cwd: path.join(ROOT, 'test/chaos') });

  test('shares no code with the product', () => {
    const truth = files.filter((file) => !RUN_CHAOS.includes(file));
    assert.ok(['truth.ts', 'produce.ts', 'verify.ts', 'gate.ts'].every((file) => truth.includes(file)));
    assert.deepEqual(
      truth.flatMap((file) => wayToSource(`test/chaos/${file}`)?.join(' ▸ ') ?? []),
      [],
    );
  });

  test('is told from what runs it', () => {
    assert.ok(RUN_CHAOS.every((file) => files.includes(file)));
    assert.deepEqual(wayToSource('test/chaos/cluster.ts')?.at(0), 'test/chaos/cluster.ts');
  });
});

describe('the rules themselves', () => {
  const breaks = (from: string, to: string, local = true) => violation({ from, to, local }) !== undefined;

  test('forbid what they must', () => {
    assert.ok(breaks('core/model/labels.ts', 'core/wire/bytes.ts'));
    assert.ok(breaks('core/new-room/file.ts', 'core/model/labels.ts'));
    assert.ok(breaks('core/record/task-record.ts', 'io/kafka/produce/outgoing.ts'));
    assert.ok(breaks('io/kafka/client/connection.ts', 'services/worker/worker.ts'));
    assert.ok(breaks('services/drain/forwarder.ts', 'services/worker/worker.ts'));
    assert.ok(breaks('services/drain/forwarder.ts', 'services/worker/options.ts'));
    assert.ok(breaks('services/drain/forwarder.ts', 'app/config/load.ts'));
    assert.ok(breaks('services/drain/options.ts', 'io/kafka/client/connection.ts'));
    assert.ok(breaks('app/config/load.ts', 'cli.ts'));
    assert.ok(breaks('new-floor/file.ts', 'core/model/labels.ts'));
    assert.ok(breaks('services/drain/forwarder.ts', 'kafkajs', false));
    for (const name of [
      'node:fs',
      'node:net',
      'node:http',
      'node:child_process',
      'node:timers/promises',
      'pino',
    ])
      assert.ok(breaks('core/hash/task.ts', name, false), name);
    assert.ok(breaks('io/kafka/client/options.ts', 'pino', false));
  });

  test('allow what they must', () => {
    assert.ok(!breaks('services/drain/forwarder.ts', 'io/kafka/client/connection.ts'));
    assert.ok(!breaks('services/drain/options.ts', 'core/options/types.ts'));
    assert.ok(!breaks('app/config/schema.ts', 'services/drain/options.ts'));
    assert.ok(!breaks('core/pipeline/pipeline.ts', 'core/wire/bytes.ts'));
    assert.ok(!breaks('cli.ts', 'app/commands/worker.ts'));
    assert.ok(!breaks('io/kafka/client/connection.ts', 'kafkajs', false));
  });

  test('see what asks the outside, and nothing in comments', () => {
    const source = 'const a = Date.now();\nif (process.env.A) setTimeout(f, new Date());';
    assert.deepEqual(asksOutside(source), ['Date.now', 'process', 'setTimeout', 'new Date()']);
    assert.deepEqual(asksOutside('/** Date.now */ step.process(a); // process.env'), []);
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
