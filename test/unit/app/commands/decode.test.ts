import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ROOT } from '../../../lab/cache.ts';

const folder = mkdtempSync(join(tmpdir(), 'penstock-decode-'));
after(() => rmSync(folder, { recursive: true }));

function decode(args: string[], value: Buffer | string, { cwd = ROOT, env = {} } = {}) {
  const file = join(folder, 'value.bin');
  writeFileSync(file, value);
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('PENSTOCK_')),
  );
  const given = args.includes('-') ? args : [...args, file];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, 'src/cli.ts'), 'decode', ...given],
    { cwd, env: { ...clean, ...env }, input: value, encoding: 'utf8', maxBuffer: 2 ** 29 },
  );
  return { status, stdout, stderr };
}

function lines(args: string[], value: Buffer | string, options = {}) {
  const { status, stdout, stderr } = decode(['--json', ...args], value, options);
  assert.equal(stderr, '');
  return { status, lines: stdout.trimEnd().split('\n') };
}

function configFile(text: string): string {
  const file = join(folder, 'penstock.yml');
  writeFileSync(file, text);
  return file;
}

/** What a terminal obeys, or shows in another order; but newlines. */
const ACTIVE = /[^\P{Cc}\n]|\p{Bidi_Control}/u;

describe('penstock decode', () => {
  it('--json gives a line a series and one a reject, with values as Go prints them', () => {
    const text = [
      'a{b="c"} 1000000 1700000000000',
      'b 0.1 1700000000001',
      'c NaN 1700000000001',
      'd +Inf 1700000000002',
      'e -Inf 1700000000003',
      'f 123456.789 1700000000004',
      'g 1e-7 1700000000005',
      'h -0 1700000000006',
      'i{ 1700000000007',
    ].join('\n');
    const { status, lines: found } = lines(['-'], text);
    assert.equal(status, 1);
    assert.deepEqual(found.slice(0, 8), [
      '{"labels":{"__name__":"a","b":"c"},"samples":[[1700000000000,"1e+06"]]}',
      '{"labels":{"__name__":"b"},"samples":[[1700000000001,"0.1"]]}',
      '{"labels":{"__name__":"c"},"samples":[[1700000000001,"NaN"]]}',
      '{"labels":{"__name__":"d"},"samples":[[1700000000002,"+Inf"]]}',
      '{"labels":{"__name__":"e"},"samples":[[1700000000003,"-Inf"]]}',
      '{"labels":{"__name__":"f"},"samples":[[1700000000004,"123456.789"]]}',
      '{"labels":{"__name__":"g"},"samples":[[1700000000005,"1e-07"]]}',
      '{"labels":{"__name__":"h"},"samples":[[1700000000006,"-0"]]}',
    ]);
    const { reject } = JSON.parse(found[8]!);
    assert.deepEqual(Object.keys(reject), ['reason', 'message']);
    assert.equal(reject.reason, 'prometheus_text_line');
    assert.match(reject.message, /^line 9: /);
    assert.equal(found.length, 9);
  });

  it('keeps labels named as parts of objects are, and their order', () => {
    const { status, lines: found } = lines(
      [],
      'a{__proto__="p",constructor="c",2="two",1="one"} 1 1700000000000\n',
    );
    assert.equal(status, 0);
    const expected = '{"__name__":"a","__proto__":"p","constructor":"c","2":"two","1":"one"}';
    assert.deepEqual(found, [`{"labels":${expected},"samples":[[1700000000000,"1"]]}`]);
  });

  it('a time that no number of JavaScript holds is a text', () => {
    const sample = '{"metric":{"__name__":"a"},"values":[1],"timestamps":[-9007199254740992]}';
    const { lines: found } = lines(['--encoding', 'vmimport'], sample);
    assert.match(found[0]!, /"samples":\[\["-9007199254740992","1"\]\]/);
  });

  it('takes headers as a record has them: null, of any name, the last of each', () => {
    const plain = lines(['--timestamp', '1700000000000'], 'cpu v=1');
    assert.deepEqual(plain.lines, ['{"labels":{"__name__":"cpu_v"},"samples":[[1700000000000,"1"]]}']);
    for (const headers of [
      [
        'content-type',
        'content-encoding',
        'penstock-query',
        'penstock-path',
        'penstock-timestamp',
        'X-Scope-OrgID',
        'stream-mode',
      ],
      ['__proto__=x', 'constructor', 'toString=y'],
      ['content-type=application/graphite', 'content-type=application/x-influx-line-protocol'],
    ]) {
      const args = ['--timestamp', '1700000000000', ...headers.flatMap((header) => ['--header', header])];
      assert.deepEqual(lines(args, 'cpu v=1'), plain, headers.join());
    }
    const time = lines(['--header=penstock-timestamp=5'], 'cpu v=1');
    assert.deepEqual(time.lines, ['{"labels":{"__name__":"cpu_v"},"samples":[[5,"1"]]}']);
    const unknown = lines(['--header', 'Content-Type=image/png'], 'cpu v=1');
    assert.equal(unknown.status, 1);
    assert.equal(JSON.parse(unknown.lines[0]!).reject.reason, 'content_type');
  });

  it('goes by the topic that it is told, or by the encoding', () => {
    const file = configFile(
      'worker: { topics: [{ topic: a }, { topic: b, encoding: influx, influx: { skip_measurement: true } }] }',
    );
    const args = ['-c', file, '--timestamp', '7'];
    const [first] = lines(args, 'cpu v=1').lines;
    const [second] = lines([...args, '--topic', 'b'], 'cpu v=1').lines;
    assert.equal(first, '{"labels":{"__name__":"cpu_v"},"samples":[[7,"1"]]}');
    assert.equal(second, '{"labels":{"__name__":"v"},"samples":[[7,"1"]]}');
    const forced = lines([...args, '--encoding', 'json'], 'cpu v=1');
    assert.equal(forced.status, 1);
    assert.match(forced.lines[0]!, /^\{"reject":/);
  });

  it('refuses what the limits of the configuration refuse', () => {
    const file = configFile('worker: { limits: { labels_per_series: 2, max_age: 1h } }');
    const { status, lines: found } = lines(['-c', file], 'a{b="1",c="2"} 1\nb 1\nc 1 1000\n');
    assert.equal(status, 1);
    const reasons = found.map((line) => JSON.parse(line).reject?.reason);
    assert.deepEqual(reasons.toSorted(), ['sample_too_old', 'too_many_labels', undefined]);
  });

  it('an empty value is a reject', () => {
    const { status, lines: found } = lines(['-'], '');
    assert.equal(status, 1);
    assert.equal(JSON.parse(found[0]!).reject.reason, 'empty_record');
  });

  it('needs no configuration file, and takes one that is named', () => {
    const { status, lines: found } = lines(['--timestamp', '1'], 'cpu v=1', { cwd: folder });
    assert.deepEqual([status, found.length], [0, 1]);
    const gone = decode(['-c', join(folder, 'gone.yml')], 'cpu v=1');
    assert.equal(gone.status, 2);
    assert.match(gone.stderr, /gone\.yml: cannot be read/);
    assert.equal(decode([], 'cpu v=1', { env: { PENSTOCK_CONFIG: '/gone.yml' } }).status, 2);
  });

  it('wrong usage is exit code 2, and says what is expected', () => {
    for (const [args, expected] of [
      [['--topic', 'metrics.rwa', '-'], /--topic metrics\.rwa: not an ingest topic; expected metrics\.raw\?/],
      [['--encoding', 'inflx', '-'], /--encoding inflx: expected influx\?/],
      [['--timestamp', 'now', '-'], /--timestamp now: expected milliseconds since the epoch/],
      [['-', '--header'], /--header/],
      [['a', '-'], /unexpected argument -; expected 1/],
      [[join(folder, 'gone.bin'), '--json'], /unexpected argument/],
    ] as const) {
      const { status, stderr, stdout } = decode([...args], 'x');
      assert.deepEqual([status, stdout], [2, ''], args.join(' '));
      assert.match(stderr, expected);
    }
  });

  it('text for people has the encoding, the series, the rejects, and no character that a terminal obeys', () => {
    const value = Buffer.from(
      'a{b="\u001b[31m\u009b2J\u202e"} 1 1700000000000 # {id="1"} 1\n# TYPE x counter\ng{ \u001b]0;x\u0007\n',
    );
    const { status, stdout } = decode(['--encoding', 'prometheus_text', '-'], value);
    assert.equal(status, 1);
    assert.doesNotMatch(stdout, ACTIVE);
    assert.match(stdout, /^standard input, \d+ bytes, as prometheus_text$/m);
    assert.match(stdout, /^\{__name__="a", b="\\u001b\[31m\\u009b2J\\u202e"\}$/m);
    assert.match(stdout, /^ {2}1 @ 1700000000000 \(2023-11-14T22:13:20\.000Z\)$/m);
    assert.match(stdout, /^cannot be used: prometheus_text_line: line 3: .*\\u001b/m);
    assert.match(stdout, /^1 series with 1 sample$/m);
    assert.match(stdout, /^cannot be used: 1$/m);
    const json = decode(['--json', '--encoding', 'prometheus_text', '-'], value).stdout;
    assert.doesNotMatch(json, ACTIVE);
    for (const line of json.trimEnd().split('\n')) JSON.parse(line);
  });

  it('a record that becomes much text is written in pieces', () => {
    const samples = Array.from({ length: 400_000 }, (_, at) => at);
    const value = JSON.stringify({ metric: { __name__: 'a' }, values: samples, timestamps: samples });
    const { status, lines: found } = lines(['--encoding', 'vmimport'], value);
    assert.equal(status, 0);
    assert.equal(JSON.parse(found[0]!).samples.length, 400_000);
  });
});
