import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { after, before, test } from 'node:test';
import { relabelCommand } from '../../../../src/app/commands/relabel.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-relabel-'));
});
after(async () => {
  await rm(folder, { recursive: true });
});

async function rulesFile(text: string): Promise<string> {
  const file = join(folder, 'rules.yml');
  await writeFile(file, text);
  return file;
}

async function run(argv: string[], chunks: readonly (string | Buffer)[] = []) {
  const output = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') =>
    new Writable({
      highWaterMark: 1,
      write(chunk, _encoding, done) {
        output[name] += String(chunk);
        setImmediate(done);
      },
    });
  const io = { stdin: Readable.from(chunks), stdout: sink('stdout'), stderr: sink('stderr') };
  const code = await relabelCommand(argv, io);
  await new Promise<void>((resolve) => io.stdout.end(resolve));
  await new Promise<void>((resolve) => io.stderr.end(resolve));
  return { code, ...output };
}

const RULES = '- {action: drop, source_labels: [job], regex: test}\n- {target_label: dc, replacement: eu}\n';

test('one line out for each line in, whatever the chunks are', async () => {
  const lines = '{"labels":{"job":"café\u2028"}}\n{"labels":{"job":"test"}}\n{"labels":{"job":"x"}}';
  const bytes = Buffer.from(lines);
  const expected =
    '{"labels":{"job":"café\\u2028","dc":"eu"}}\n{"dropped":true}\n{"labels":{"job":"x","dc":"eu"}}\n';
  const file = await rulesFile(RULES);
  for (const size of [1, 7, bytes.length]) {
    const chunks = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    assert.deepEqual(await run(['--config', file], chunks), { code: 0, stdout: expected, stderr: '' });
  }
});

test('a bad line is answered in its place and makes the exit code 1', async () => {
  const input = 'nonsense\n{"labels":{"a":1}}\n{"labels":["a"]}\n\n{"labels":{"a":"1"}}\n';
  const { code, stdout } = await run(['-c', await rulesFile(RULES)], [input]);
  const answers = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(code, 1);
  assert.match(answers[0].error, /not JSON/);
  assert.match(answers[1].error, /the value of label "a" is not text/);
  assert.match(answers[2].error, /expected an object with "labels"/);
  assert.match(answers[3].error, /not JSON/);
  assert.deepEqual(answers[4], { labels: { a: '1', dc: 'eu' } });
});

test('the dialect decides', async () => {
  const file = await rulesFile('- {action: labelmap, regex: "(a)", replacement: "__$1"}\n');
  const input = ['{"labels":{"a":"1"}}\n'];
  assert.equal((await run(['--config', file], input)).stdout, '{"labels":{"a":"1"}}\n');
  const prometheus = await run(['--dialect', 'prometheus', '--config', file], input);
  assert.equal(prometheus.stdout, '{"labels":{"__a":"1","a":"1"}}\n');
});

test('wrong rules: the file, the line, the reason, exit code 2', async () => {
  const cases: readonly (readonly [text: string, message: RegExp])[] = [
    [`${RULES}- action: keep\n  regex: "("\n  source_labels: [a]\n`, /rules\.yml:4: invalid regex/],
    ['- action: bogus\n', /rules\.yml:1: unknown action "bogus"/],
    ['- a: 1\n  - b\n', /rules\.yml:\d+: not valid YAML/],
  ];
  for (const [text, message] of cases) {
    const { code, stdout, stderr } = await run(['--config', await rulesFile(text)]);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, message);
  }
});

test('wrong usage: exit code 2', async () => {
  const file = await rulesFile(RULES);
  const cases: readonly (readonly [argv: string[], message: RegExp])[] = [
    [[], /--config is missing/],
    [['--config', file, '--dialect', 'vector'], /unknown dialect "vector"/],
    [['--config', file, '--loud'], /Unknown option '--loud'/],
    [['--config', join(folder, 'nowhere.yml')], /cannot read the rules: .*nowhere\.yml/],
  ];
  for (const [argv, message] of cases) {
    const { code, stderr } = await run(argv);
    assert.equal(code, 2);
    assert.match(stderr, message);
  }
});
