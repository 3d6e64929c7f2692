import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { compressFrame } from 'lz4-napi';
import { MOST_BATCH_BYTES, registerCodecs } from '../../../src/kafka/codecs.ts';
import { kafkajs } from '../../../src/kafka/patch/load.ts';
import { lz4FrameBound } from '../../../src/wire/lz4-frame.ts';
import { compress } from '../../../src/wire/snappy.ts';

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
  const large = Buffer.alloc(MOST_BATCH_BYTES + 1);
  const bombs = [
    [GZIP, gzipSync(large)],
    [ZSTD, zstdCompressSync(large)],
    [LZ4, await compressFrame(large)],
    [Snappy, compress(large)],
  ] as const;
  for (const [type, bomb] of bombs)
    await assert.rejects(codec(type).decompress(bomb), /more than 256 MiB/, `${type}`);
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
    const bound = lz4FrameBound(await compressFrame(body));
    assert.ok(bound >= body.length && bound < body.length + 4 * 1024 * 1024, `${bound} for ${body.length}`);
  }
  const frame = await compressFrame(BODIES[1]!);
  assert.equal(lz4FrameBound(Buffer.concat([frame, frame])), Number.POSITIVE_INFINITY);
  assert.equal(lz4FrameBound(Buffer.from('no frame at all')), Number.POSITIVE_INFINITY);
});
