import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { detectContentEncoding, detectEncoding } from '../../../../../src/core/decode/detect/detect.ts';
import { detectProtobuf } from '../../../../../src/core/decode/detect/protobuf.ts';
import { threadCpuMs } from '../../../../../src/core/decode/record-budget.ts';
import { compress, uncompress } from '../../../../../src/core/wire/snappy.ts';
import { jsonBodies, otlpJsonBodies } from '../../../../fuzz/binary-seeds.ts';
import { bodyOf, ingestCases, TEXT_DECODER_OF } from '../../../../support/vectors.ts';

const DECODER_OF: Readonly<Record<string, string>> = {
  ...TEXT_DECODER_OF,
  opentelemetry: 'otlp',
  'remote-write-v1': 'remote_write_v1',
  'remote-write-v2': 'remote_write_v2',
};

/** What bytes cannot tell: lines of a name, a value and perhaps a time. Both read them, if not always the same way. */
const AMBIGUOUS = [
  ['graphite', 'prometheus_text'],
  ['prometheus_text', 'graphite'],
].map(String);

/** Vectors whose first line is no line of their encoding: what is wrong with it is in the note or plain to see. */
const FIRST_LINE_IS_BROKEN: Readonly<Record<string, string>> = {
  'influx/h0108': 'no measurement',
  'influx/r0010': 'a field without a value',
  'opentsdb/r0014': 'no name',
  'opentsdb/r0020': 'no name',
  'opentsdb/r0021': 'no name',
  'vmimport/h0052': 'not JSON',
};

const usableCases = ingestCases().filter(({ options, expected }) => {
  return expected.series?.length && !expected.error && !options?.headers?.['Content-Encoding'];
});

function detect(value: Buffer): string | undefined {
  const compression = detectContentEncoding(value);
  if (compression === 'identity') return detectEncoding(value);
  return compression === 'snappy' ? detectProtobuf(uncompress(value, 10_000_000)) : compression;
}

test('no vector of one encoding is taken for another where the bytes tell them apart', () => {
  const wrong: string[] = [];
  let right = 0;
  for (const vector of usableCases) {
    const { id, format } = vector;
    const expected = DECODER_OF[format]!;
    const found = detect(bodyOf(vector));
    if (found === expected) right++;
    else if (!AMBIGUOUS.includes(`${expected},${found}`) && !FIRST_LINE_IS_BROKEN[`${format}/${id}`]) {
      wrong.push(`${format}/${id}: ${found}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(right > 50, `${right} told`);
});

test('JSON of samples and of OTLP', () => {
  for (const body of otlpJsonBodies()) assert.equal(detect(body), 'otlp_json');
  for (const body of jsonBodies()) assert.equal(detect(body), 'json', body.toString());
});

const TEXTS: Readonly<Record<string, string>> = {
  'up 1': 'prometheus_text',
  'up 1 1700000000000': 'prometheus_text',
  'up 1 1700000000': 'graphite',
  'up 1 1700000000.5\n# EOF\n': 'prometheus_text',
  '# TYPE up gauge\nup 1 1700000000': 'prometheus_text',
  '# a comment\ncpu,host=a usage=1 1700000000000000000': 'influx',
  'a.b.c 1 1700000000': 'graphite',
  'up;a=b c 1 1700000000': 'graphite',
  'm{a="x v=1"} 1': 'prometheus_text',
  'cpu\\ load,tag="a b" v=1': 'influx',
  'cpu v="a b"': 'influx',
  'put 1': 'prometheus_text',
  'put up 1700000000 1 a=b': 'opentsdb',
  '{"up", a="b"} 1': 'prometheus_text',
  '{__name__="up"} 1': 'prometheus_text',
  '{} 1': 'prometheus_text',
  // Braces, hashes and quotes in tags, labels and fields.
  'http_server_requests,method=GET,uri=/users/{id},metric_type=histogram sum=1.5,count=2 1700000000000\njvm_threads,state=runnable value=5 1700000000000\n':
    'influx',
  'm,uri={a="b"} v=1': 'influx',
  'm,uri=/{id} v="a{b=\\"c\\"} 1",w=t 1700000000000000000': 'influx',
  'm,uri=/{id} v=abc\nm,uri=/{id} v=1': 'influx',
  'm,a="x{y" v=1i': 'influx',
  'm{a="x y=1,z=2",b="c"} 1 # {t="u v=1"} 1': 'prometheus_text',
  'm{a="x,y=z v=1 2"} 1': 'prometheus_text',
  // A first line that is cut off, or broken.
  'count=2 1700000000000\nm,a=b sum=1,count=2 1700000000000\nm,a=c sum=1,count=2 1700000000000': 'influx',
  '2 1700000000\nm,a=b sum=1,count=2 1700000000': 'influx',
  'b",c="d"} 5\nm{b="a"} 1\nm{b="c"} 2': 'prometheus_text',
  '1700000000 1.5 a=b\nput m 1700000000 1.5 a=b': 'opentsdb',
  'x{y\na.b.c 1 1700000000\na.b.d 1 1700000000': 'graphite',
  // A first line that could be of two.
  'up 1 1700000000\nfoo{a="b"} 1 1700000000\nbar{a="b"} 1': 'prometheus_text',
  'up 1\nfoo{a="b"} 1': 'prometheus_text',
  'load 1\nload.one 1\nload.five 1': 'graphite',
  'load 1\nload;host=a b 1': 'graphite',
  'up 1 1700000000000\nup 1 1700000000000\nup 1 1700000000': 'prometheus_text',
  // Comments, blank lines, marks and carriage returns first.
  '\r\n\r\n# one\r\n\r\n  # two\r\ncpu,host=a v=1\r\n': 'influx',
  '\ufeff# one\ncpu v=1': 'influx',
  '\ufeffa.b 1 1700000000': 'graphite',
  '\ufeffput m 1700000000 1': 'opentsdb',
  '\ufeff{"resourceMetrics":[]}': 'otlp_json',
  '\ufeff[{"metric":"m","value":1}]': 'opentsdb_http',
  '# TYPE a.b gauge\na.b 1 1700000000': 'prometheus_text',
  '# EOF': 'prometheus_text',
  '{}': 'json',
  '{"metric":"a","value":1,"timestamp":1}': 'opentsdb_http',
  '[{"timestamp":1,"tags":{},"metric":"a"}]': 'opentsdb_http',
  '{"timestamps":[1],"values":[1],"metric":{"a":"b"}}': 'vmimport',
  '{"value":1,"name":"metric"}': 'json',
  ' \n[1]': 'json',
};

for (const [text, expected] of Object.entries(TEXTS)) {
  test(`${JSON.stringify(text)} is ${expected}`, () => assert.equal(detect(Buffer.from(text)), expected));
}

test('compression is told by its magic, snappy by its shape', () => {
  const series = Buffer.from('0a0e0a080a01611203626262120208ff', 'hex').subarray(0, 12);
  const body = Buffer.concat([Buffer.from([0x0a, series.length]), series]);
  assert.equal(detectContentEncoding(gzipSync(body)), 'gzip');
  assert.equal(detectContentEncoding(zstdCompressSync(body)), 'zstd');
  assert.equal(detectContentEncoding(compress(body)), 'snappy');
  assert.equal(detectContentEncoding(body), 'identity');
  assert.equal(detectContentEncoding(Buffer.from('x^2 1')), 'identity');
});

test('a text that has the shape of a snappy block is text', () => {
  // 0x7b is a length of 123, the space a literal of 9 bytes, the quote the tag of a symbol.
  assert.equal(detect(Buffer.from('{ "name":"up","value":1,"labels":{"a":"bbbbbbbbbbbbbbbb"}}')), 'json');
});

test("Confluent's framing is told by its first byte", () => {
  assert.equal(detect(Buffer.from([0, 0, 0, 0, 7, 2, 1])), 'confluent');
});

test('bytes that look like nothing are not guessed', () => {
  for (const bytes of [[], [0xff], [0x07, 0x00], [0x00], [0x93, 0x01, 0xfe]]) {
    assert.equal(detect(Buffer.from(bytes)), undefined);
  }
});

test('a broken snappy block whose bytes are UTF-8 and has newlines is no text', () => {
  const body = Buffer.from('0a0b' + '0a09' + '0a0161' + '120464726f70', 'hex');
  const broken = Buffer.concat([compress(body), Buffer.from('@')]);
  assert.equal(detect(broken), undefined);
});

test('a control character in a name or label leaves a text what it is', () => {
  assert.equal(detect(Buffer.from('up{a="\u0001"} 1')), 'prometheus_text');
  assert.equal(detect(Buffer.from('cpu\u0000,host=a v=1')), 'influx');
});

test('a line of quotes and backslashes is told in linear time', () => {
  for (const piece of ['"', '\\', '"\\', 'a"', ' "']) {
    assert.equal(typeof detect(Buffer.from(piece.repeat(30_000))), 'string');
  }
});

test('a text that is cut off where looking ends is told by its whole lines', () => {
  const cut = `m,uri=/{id},pad=${'x'.repeat(1000)} v=1\n`.repeat(200);
  assert.equal(detectEncoding(Buffer.from(cut)), 'influx');
  const long = `m,uri=/{id} v="${'{ # } 1 '.repeat(20_000)}"`;
  assert.equal(detectEncoding(Buffer.from(`x\nm,uri=/{id} v=1\n${long}`)), 'influx');
  const labels = Array.from({ length: 20_000 }, (_, index) => `l${index}="v"`).join();
  assert.equal(detectEncoding(Buffer.from(`m{${labels}} 1`)), 'prometheus_text');
});

test('however many lines there are, twenty decide', () => {
  const text = `${'up 1 1700000000\n'.repeat(20)}${'m{a="b"} 1\n'.repeat(1000)}`;
  assert.equal(detectEncoding(Buffer.from(text)), 'graphite');
  assert.equal(detectEncoding(Buffer.from(`${'# x\n'.repeat(100)}${text}`)), 'graphite');
});

test('lines made to be hard to tell cost little', () => {
  const parts = [
    'a',
    ' ',
    '\t',
    '1',
    '.',
    '"',
    '{',
    '}',
    '=',
    ',',
    ';',
    '\\',
    '# ',
    'e',
    'a="',
    '\\"',
    'v=1,',
    '{a="b",',
    'put a ',
    ';a=',
    '9 ',
  ];
  for (const head of ['', 'm{', 'm{a="', 'm,a=b ', 'put m 1 ', 'a;b=', 'm{a="b"', 'm 1']) {
    for (const part of parts) {
      const body = Buffer.from(head + part.repeat(Math.floor(65_000 / part.length)));
      const before = threadCpuMs();
      detectEncoding(body);
      const ms = threadCpuMs() - before;
      // A few ms each. What is quadratic takes seconds.
      assert.ok(ms < 1000, `${JSON.stringify(head)} and ${JSON.stringify(part)}: ${ms} ms`);
    }
  }
});

test('zstd that begins with a skippable frame is zstd', () => {
  const body = zstdCompressSync(Buffer.from('m 1\n'));
  for (const magic of [0x50, 0x5a, 0x5f]) {
    const skippable = Buffer.from([magic, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 0x61, 0x62]);
    assert.equal(detectContentEncoding(Buffer.concat([skippable, body])), 'zstd');
  }
  for (const bytes of [[0x50, 0x2a, 0x4d], [0x60, 0x2a, 0x4d, 0x18], [0x4f, 0x2a, 0x4d, 0x18], [], [0x50]])
    assert.notEqual(detectContentEncoding(Buffer.from(bytes)), 'zstd');
});
