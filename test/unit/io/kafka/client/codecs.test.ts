import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { compressFrame } from 'lz4-napi';
import { lz4Frames } from '../../../../../src/core/wire/lz4-frame.ts';
import { compress } from '../../../../../src/core/wire/snappy.ts';
import { mostBatchBytes, registerCodecs } from '../../../../../src/io/kafka/client/codecs.ts';
import { kafkajs } from '../../../../../src/io/kafka/patch/load.ts';

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(data: Buffer): Promise<Buffer>;
}

registerCodecs();
const { GZIP, Snappy, LZ4, ZSTD } = kafkajs.CompressionTypes;
const CODECS = { gzip: GZIP, snappy: Snappy, lz4: LZ4, zstd: ZSTD } as const;
const codec = (type: number) => (kafkajs.CompressionCodecs as Record<number, () => Codec>)[type]!();

const BODIES = [Buffer.from('x'), Buffer.alloc(300_000, 'abc'), randomBytes(200_000)];

for (const [name, type] of Object.entries(CODECS)) {
  test(`${name}: what was compressed comes out again`, async () => {
    for (const buffer of BODIES) {
      assert.deepEqual(await codec(type).decompress(await codec(type).compress({ buffer })), buffer);
    }
  });
}

test('small batches that decompress to more than is read are refused', async () => {
  const large = Buffer.alloc(mostBatchBytes(0) + 1);
  const bombs = [
    [GZIP, gzipSync(large)],
    [ZSTD, zstdCompressSync(large)],
    [ZSTD, Buffer.concat([zstdCompressSync(large.subarray(10)), zstdCompressSync(large.subarray(0, 10))])],
    [LZ4, await compressFrame(large)],
  ] as const;
  for (const [type, bomb] of bombs)
    await assert.rejects(codec(type).decompress(bomb), /more than is read: 64 MiB/, `${type}`);
  // Snappy makes 64 KiB of 3 KB at best, so its bombs are larger.
  await assert.rejects(codec(Snappy).decompress(Buffer.from([0xff, 0xff, 0xff, 0x7f, 0])), /more than is/);
});

test('the larger a batch is as compressed, the larger it may be', () => {
  const MIB = 1024 * 1024;
  assert.deepEqual(
    [0, 1, 2, 3, 100].map((mib) => mostBatchBytes(mib * MIB) / MIB),
    [64, 64, 128, 192, 256],
  );
});

/** Does nothing in either format. */
const skippable = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

const FRAMED: Record<string, readonly [type: number, frame: (body: Buffer) => Buffer | Promise<Buffer>]> = {
  zstd: [ZSTD, zstdCompressSync],
  'zstd with checksums': [
    ZSTD,
    (body) => zstdCompressSync(body, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
  ],
  'zstd of known size': [ZSTD, (body) => zstdCompressSync(body, { pledgedSrcSize: body.length })],
  lz4: [LZ4, compressFrame],
};

for (const [name, [type, frame]] of Object.entries(FRAMED)) {
  test(`${name}: all frames are read, and what can be skipped is skipped`, async () => {
    const frames = await Promise.all(BODIES.map(frame));
    const all = Buffer.concat([skippable, ...frames.flatMap((each) => [each, skippable])]);
    assert.deepEqual(await codec(type).decompress(all), Buffer.concat(BODIES));
    assert.equal((await codec(type).decompress(skippable)).length, 0);
  });

  test(`${name}: what is no frame behind one is refused, and one that is cut off too`, async () => {
    const good = await frame(BODIES[1]!);
    for (const bad of [
      Buffer.concat([good, Buffer.from('more')]),
      Buffer.concat([good, skippable.subarray(0, 10)]),
      Buffer.concat([good, good.subarray(0, good.length - 5)]),
      Buffer.concat([good, good.subarray(0, 5)]),
    ])
      await assert.rejects(codec(type).decompress(bad));
  });
}

test('a batch in tens of thousands of frames is refused at once', async () => {
  const frame = zstdCompressSync('x');
  const many = Buffer.concat(Array.from({ length: 20_000 }, () => frame));
  await assert.rejects(codec(ZSTD).decompress(many), /more than 10000 pieces/);
});

test('gzip members are read one behind the other', async () => {
  const members = Buffer.concat(BODIES.map((body) => gzipSync(body)));
  assert.deepEqual(await codec(GZIP).decompress(members), Buffer.concat(BODIES));
});

test('snappy streams of xerial that were joined are read, and one of many small blocks', async () => {
  const streams = await Promise.all(BODIES.map((buffer) => codec(Snappy).compress({ buffer })));
  assert.deepEqual(await codec(Snappy).decompress(Buffer.concat(streams)), Buffer.concat(BODIES));
  const one = (await codec(Snappy).compress({ buffer: BODIES[0]! })).subarray(16);
  const many = Buffer.concat([streams[0]!.subarray(0, 16), ...Array.from({ length: 1000 }, () => one)]);
  assert.equal(String(await codec(Snappy).decompress(many)), 'x'.repeat(1000));
});

test('a bare snappy block is read', async () => {
  assert.deepEqual(await codec(Snappy).decompress(compress(BODIES[1]!)), BODIES[1]);
});

test('a snappy block whose length leads back or out is refused', async () => {
  const good = await codec(Snappy).compress({ buffer: BODIES[1]! });
  for (const length of [-4, 1_000_000]) {
    const bad = Buffer.from(good);
    bad.writeInt32BE(length, 16);
    await assert.rejects(codec(Snappy).decompress(bad), /passes the end/);
  }
});

test('what an LZ4 frame can come to is known before, nearly', async () => {
  for (const body of BODIES) {
    const [frame, ...others] = lz4Frames(await compressFrame(body));
    assert.equal(others.length, 0);
    const { bound } = frame!;
    assert.ok(bound >= body.length && bound < body.length + 4 * 1024 * 1024, `${bound} for ${body.length}`);
  }
  assert.throws(() => lz4Frames(Buffer.from('no frame at all')), /no frame/);
});
