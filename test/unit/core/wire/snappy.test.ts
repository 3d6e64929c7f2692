import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PoisonError } from '../../../../src/core/model/errors.ts';
import {
  compress,
  javascriptSnappy,
  joinBlocks,
  maxCompressedLength,
  maxUncompressedLength,
  nativeSnappy,
  snappyImplementation,
  uncompress,
  uncompressedLength,
} from '../../../../src/core/wire/snappy.ts';

const reason = (expected: string) => (error: unknown) =>
  error instanceof PoisonError && error.reason === expected;

test('both implementations read what either writes', () => {
  const codecs = [nativeSnappy(), javascriptSnappy()];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(40), (part, times) => {
      const bytes = Buffer.concat(new Array<Uint8Array>(times).fill(part));
      for (const writer of codecs) {
        const compressed = writer.compress(bytes);
        assert.equal(uncompressedLength(compressed), bytes.length);
        assert.ok(compressed.length <= maxCompressedLength(bytes.length));
        for (const reader of codecs) assert.deepEqual(Buffer.from(reader.uncompress(compressed)), bytes);
      }
    }),
    { numRuns: 50 },
  );
});

test('joined blocks uncompress, by either implementation, to what they held, one behind the other', () => {
  const codecs = [nativeSnappy(), javascriptSnappy()];
  const part = fc.tuple(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 0, max: 500 }));
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
      const texts = parts.map(([bytes, times]) => Buffer.concat(new Array<Uint8Array>(times).fill(bytes)));
      const block = joinBlocks(texts.map((text, at) => codecs[at % 2]!.compress(text)));
      assert.equal(uncompressedLength(block), Buffer.concat(texts).length);
      for (const reader of codecs)
        assert.deepEqual(Buffer.from(reader.uncompress(block)), Buffer.concat(texts));
    }),
    { numRuns: 50 },
  );
  const broken = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
  assert.throws(() => joinBlocks([compress(Buffer.from('a')), broken]), reason('snappy'));
});

test('the native implementation is the one in use where it loads', () => {
  assert.equal(snappyImplementation, 'native');
});

test('a capacity computed from a record size keeps the record within it', () => {
  for (let size = 0; size < 3000; size++) {
    const most = maxUncompressedLength(size);
    assert.ok(most === 0 || maxCompressedLength(most) <= size, `${size}`);
    assert.ok(maxCompressedLength(most + 2) > size, `${size}: ${most} is too careful`);
  }
});

test('a header that claims more than the limit is refused before memory is taken', () => {
  const claimsFourGiB = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0x00]);
  const before = process.memoryUsage();
  for (let i = 0; i < 100; i++)
    assert.throws(() => uncompress(claimsFourGiB, 2 ** 25), reason('record_too_large'));
  const after = process.memoryUsage();
  assert.ok(after.arrayBuffers + after.external - before.arrayBuffers - before.external < 2 ** 20);
});

test('corrupt blocks are poison, whatever is broken', () => {
  const good = compress(Buffer.from('penstock '.repeat(50)));
  for (let length = 0; length < good.length; length++) {
    assert.throws(() => uncompress(good.subarray(0, length), 2 ** 20), reason('snappy'), `cut to ${length}`);
  }
  for (const header of ['ffffffffff', 'ffffffff7f', '80', '']) {
    assert.throws(() => uncompress(Buffer.from(header, 'hex'), 2 ** 40), reason('snappy'), header);
  }
  const longer = Buffer.concat([good, Buffer.from([0x00, 0x41])]);
  assert.throws(() => uncompress(longer, 2 ** 20), reason('snappy'));
});

test('a few bytes that claim many are refused before memory is taken for them', () => {
  const claim = Buffer.from('8080800f00', 'hex');
  const before = process.memoryUsage().arrayBuffers;
  assert.throws(
    () => uncompress(claim, 64 * 2 ** 20),
    /claims 31457280 bytes, more than 5 bytes of snappy can become/,
  );
  assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 20);
  const most = Buffer.alloc(20 * 2 ** 20, 'a');
  assert.equal(uncompress(compress(most), 64 * 2 ** 20).length, most.length);
});
