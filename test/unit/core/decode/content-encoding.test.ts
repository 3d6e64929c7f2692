import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { DEFAULT_LIMITS, type Decoded } from '../../../../src/core/decode/decoder.ts';
import { RecordBudget } from '../../../../src/core/decode/record-budget.ts';
import { DecoderRegistry } from '../../../../src/core/decode/registry.ts';
import { PoisonError } from '../../../../src/core/model/errors.ts';
import type { RecordHeaders } from '../../../../src/core/record/headers.ts';
import { compress } from '../../../../src/core/wire/snappy.ts';
import { WriteRequestBuilder } from '../../../../src/core/wire/write-request-builder.ts';
import { decodeWriteRequest } from '../../../lab/truth/prompb.ts';

const PROTOBUF = { 'content-type': 'application/x-protobuf' };
const INFLUX = { 'content-type': 'application/x-influx-line-protocol' };

const COMPRESS = {
  snappy: compress,
  zstd: (body: Buffer) => zstdCompressSync(body),
  gzip: (body: Buffer) => gzipSync(body),
  deflate: (body: Buffer) => deflateSync(body),
} as const;
const COMPRESSIONS = Object.keys(COMPRESS) as (keyof typeof COMPRESS)[];

function writeRequest(...names: string[]): Buffer {
  const builder = new WriteRequestBuilder();
  for (const name of names) {
    builder.beginSeries();
    builder.label('__name__', name);
    builder.label('instance', 'host:9100');
    builder.sample(1, 1_700_000_000_000);
    builder.endSeries();
  }
  return builder.finish();
}

function decode(value: Buffer, headers: RecordHeaders, encoding = 'auto', limits = DEFAULT_LIMITS): Decoded {
  return new DecoderRegistry(encoding).decode(value, { headers, timestamp: 1_700_000_000_000, limits });
}

function names(value: Buffer, headers: RecordHeaders, encoding?: string): string[] {
  const { body, rejects } = decode(value, headers, encoding);
  assert.deepEqual(rejects, []);
  return decodeWriteRequest(body).series.map(({ labels }) => labels[0]![1]);
}

/** The reason why nothing of a record can be read; undefined where something can. */
function reason(value: Buffer, headers: RecordHeaders, encoding?: string): string | undefined {
  try {
    decode(value, headers, encoding);
    return undefined;
  } catch (error) {
    if (error instanceof PoisonError) return error.reason;
    throw error;
  }
}

/** A skippable frame with an application's own data. */
const SKIPPABLE = Buffer.from('5c2a4d1803000000010203', 'hex');
const EMPTY_FRAME = zstdCompressSync('');

test('zstd: frames one behind the other are one body', () => {
  const [m, n] = [zstdCompressSync(writeRequest('m')), zstdCompressSync(writeRequest('n'))];
  const headers = { ...PROTOBUF, 'content-encoding': 'zstd' };
  assert.deepEqual(names(Buffer.concat([m, n]), headers), ['m', 'n']);
  assert.deepEqual(names(Buffer.concat([m, n]), {}), ['m', 'n']);
  assert.deepEqual(names(Buffer.concat([SKIPPABLE, m, SKIPPABLE, EMPTY_FRAME, n, SKIPPABLE]), headers), [
    'm',
    'n',
  ]);
});

for (const size of [0, 1, 1023, 1024, 1025, 64 * 1024 - 1, 64 * 1024, 128 * 1024, 300_000]) {
  test(`zstd: two frames of ${size} bytes, compressible and not`, () => {
    const bodies = [
      Buffer.alloc(size, 7),
      Buffer.from(Array.from({ length: size }, (_, i) => (i * 2654435761) >>> 13)),
    ];
    for (const body of bodies) {
      const twice = Buffer.concat([zstdCompressSync(body), zstdCompressSync(body)]);
      const limits = { ...DEFAULT_LIMITS, record_bytes: Math.max(1, 2 * size) };
      const registry = new DecoderRegistry('plain', [plain]);
      const read = (value: Buffer) =>
        registry.decode(value, { headers: { 'content-encoding': 'zstd' }, timestamp: 0, limits });
      assert.deepEqual(read(twice).body, Buffer.concat([body, body]));
      if (size > 0)
        assert.throws(() => read(Buffer.concat([twice, zstdCompressSync('x')])), poison('record_too_large'));
    }
  });
}

/** Gives the body as it is. */
const plain = {
  name: 'plain',
  contentTypes: ['text/plain'],
  defaultContentEncoding: 'identity',
  decode: (body: Buffer) => ({ body, rejects: [] }),
};

const poison = (expected: string, message?: RegExp) => (error: unknown) =>
  error instanceof PoisonError && error.reason === expected && (message?.test(error.message) ?? true);

test('a body of very many frames ends when its budget does', () => {
  const limits = { ...DEFAULT_LIMITS, record_time: 20 };
  const headers = { ...PROTOBUF, 'content-encoding': 'zstd' };
  const value = Buffer.concat(Array<Buffer>(100_000).fill(EMPTY_FRAME));
  assert.throws(() => decode(value, headers, 'auto', limits), poison('too_slow'));
  // A frame that claims the largest window costs as much as a hundred others.
  const window = Buffer.from('28b52ffd008809000041', 'hex');
  const windows = Buffer.concat(Array<Buffer>(10_000).fill(window));
  const started = performance.now();
  assert.throws(() => decode(windows, headers, 'auto', limits), poison('too_slow'));
  assert.ok(performance.now() - started < 2000);
});

test('frames that only skip cost next to nothing', () => {
  const value = Buffer.concat([
    ...Array<Buffer>(90_000).fill(SKIPPABLE),
    zstdCompressSync(writeRequest('m')),
  ]);
  const budget = new RecordBudget({ ...DEFAULT_LIMITS, record_time: 500 }, value.length);
  const headers = { ...PROTOBUF, 'content-encoding': 'zstd' };
  const context = { headers, timestamp: 0, limits: DEFAULT_LIMITS, budget };
  assert.equal(new DecoderRegistry().decode(value, context).body.length, writeRequest('m').length);
});

test('zstd that needs a dictionary, or more memory than there is, says so', () => {
  const headers = { ...PROTOBUF, 'content-encoding': 'zstd' };
  const dictionary = Buffer.from('28b52ffd210701090000' + '61', 'hex');
  assert.throws(() => decode(dictionary, headers), poison('zstd', /needs the dictionary 7/));
  const window = Buffer.from('28b52ffd00f809000041', 'hex');
  assert.throws(() => decode(window, headers), poison('zstd', /too much memory/));
});

for (const label of COMPRESSIONS) {
  const headers = { ...PROTOBUF, 'content-encoding': label };
  const body = writeRequest('up', 'down');

  for (const actual of COMPRESSIONS) {
    test(`${actual} that is said to be ${label}`, () => {
      assert.deepEqual(names(COMPRESS[actual](body), headers), ['up', 'down']);
      assert.deepEqual(names(COMPRESS[actual](body), { ...headers, ...V1_TYPE }), ['up', 'down']);
    });
  }

  test(`${label} that is said to be plain`, () => {
    for (const said of ['identity', 'none']) {
      assert.deepEqual(names(COMPRESS[label](body), { ...PROTOBUF, 'content-encoding': said }), [
        'up',
        'down',
      ]);
    }
  });

  test(`a plain body that is said to be ${label} is a dead letter`, () => {
    assert.equal(reason(body, headers), label);
    assert.equal(
      reason(Buffer.from('cpu v=1\n'.repeat(100)), { ...INFLUX, 'content-encoding': label }),
      label,
    );
  });

  test(`${label} with bytes behind its end is a dead letter`, () => {
    for (const rest of ['00', '000000000000', '78', '1f', '28b5', 'ffffffffff', body.toString('hex')]) {
      const value = Buffer.concat([COMPRESS[label](body), Buffer.from(rest, 'hex')]);
      assert.equal(reason(value, headers), label, rest);
      if (label !== 'snappy') assert.equal(reason(value, PROTOBUF), label, rest);
    }
  });

  test(`${label} that is cut off is a dead letter, wherever it is cut`, () => {
    const value = COMPRESS[label](body);
    for (let end = 1; end < value.length; end++)
      assert.equal(reason(value.subarray(0, end), headers), label, `${end}`);
    const lines = COMPRESS[label](Buffer.from('cpu,host=a v=123,w=4\nmem v=1\n'.repeat(20)));
    for (let end = 1; end < lines.length; end++) {
      assert.equal(reason(lines.subarray(0, end), { ...INFLUX, 'content-encoding': label }), label, `${end}`);
    }
  });
}

const V1_TYPE = { 'content-type': 'application/x-protobuf;proto=prometheus.WriteRequest' };

test('remote write without a header may be in snappy or in zstd, whatever is configured', () => {
  const body = writeRequest('up');
  for (const encoding of ['remote_write_v1', 'victoriametrics_remote_write']) {
    assert.deepEqual(names(compress(body), {}, encoding), ['up']);
    assert.deepEqual(names(zstdCompressSync(body), {}, encoding), ['up']);
  }
  const victoriametrics = { ...PROTOBUF, 'x-victoriametrics-remote-write-version': '1' };
  assert.deepEqual(names(compress(body), { ...victoriametrics, 'content-encoding': 'zstd' }), ['up']);
});

test('text in another compression than it is said to be in', () => {
  const lines = Buffer.from('cpu,host=a v=1\ncpu,host=b v=2\n');
  for (const label of [...COMPRESSIONS, 'identity']) {
    for (const actual of COMPRESSIONS) {
      // Snappy has no magic number: what is inside has to tell, and text does not.
      if (label === 'identity' && actual === 'snappy') continue;
      const headers = { ...INFLUX, 'content-encoding': label };
      assert.deepEqual(names(COMPRESS[actual](lines), headers), ['cpu_v', 'cpu_v'], `${actual} as ${label}`);
    }
  }
});

test('gzip and deflate of several members', () => {
  const [m, n] = [writeRequest('m'), writeRequest('n')];
  const headers = { ...PROTOBUF, 'content-encoding': 'gzip' };
  assert.deepEqual(names(Buffer.concat([gzipSync(m), gzipSync(n)]), headers), ['m', 'n']);
  const deflated = Buffer.concat([deflateSync(m), deflateSync(n)]);
  assert.equal(reason(deflated, { ...PROTOBUF, 'content-encoding': 'deflate' }), 'deflate');
});

test('snappy in a stream format is refused by its name', () => {
  const stream = Buffer.from('ff060000734e61507059', 'hex');
  const java = Buffer.from('82534e41505059000000000100000001', 'hex');
  const headers = { ...PROTOBUF, 'content-encoding': 'snappy' };
  assert.throws(() => decode(stream, headers), poison('snappy', /stream format/));
  assert.throws(() => decode(java, headers), poison('snappy', /SnappyOutputStream/));
});

test('a gzip body of lines that is cut off: with Stream-Mode the lines before the cut count', () => {
  const lines = Array.from({ length: 50 }, (_, i) => `cpu,host=h${i * 7919} v=${i}00`);
  const value = gzipSync(`${lines.join('\n')}\n`);
  const headers = { ...INFLUX, 'content-encoding': 'gzip', 'stream-mode': '1' };
  assert.deepEqual(names(value, headers).length, 50);
  let most = 0;
  for (let end = 1; end < value.length; end++) {
    const cut = value.subarray(0, end);
    if (most === 0 && reason(cut, headers) === 'gzip') continue;
    const { body, rejects } = decode(cut, headers);
    const read = decodeWriteRequest(body).series.map(
      ({ labels, samples }) => `cpu,host=${labels[1]![1]} v=${Number(doubleOf(samples[0]!.bits))}`,
    );
    // Nothing but lines that were sent, from the first on; and what was cut off is set aside.
    const sent = lines.slice(0, read.length).map((line) => line.replace(/v=0+(?=\d)/, 'v='));
    assert.deepEqual(read, sent, `${end}`);
    assert.equal(rejects.length, 1, `${end}`);
    assert.equal(rejects[0]!.reason, 'gzip');
    assert.ok(read.length >= most);
    most = read.length;
  }
  // The trailer is a part like another: without it all lines are there, and still one reject.
  assert.equal(most, 50);
});

function doubleOf(bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

test('Stream-Mode is for lines: a protobuf body that is cut off is a dead letter', () => {
  const value = gzipSync(Buffer.concat([writeRequest('a'), writeRequest('b')]), { level: 0 });
  const headers = { ...PROTOBUF, 'content-encoding': 'gzip', 'stream-mode': '1' };
  for (let end = 1; end < value.length; end++) assert.equal(reason(value.subarray(0, end), headers), 'gzip');
});

test('a gzip body with a wrong checksum is not taken for one that is cut off', () => {
  const value = gzipSync('cpu v=1\n');
  value[value.length - 6]! ^= 1;
  assert.equal(reason(value, { ...INFLUX, 'content-encoding': 'gzip', 'stream-mode': '1' }), 'gzip');
});
