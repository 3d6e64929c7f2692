import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { xxh64, xxh64Into } from '../../../../src/core/hash/xxhash64.ts';
import { hashing } from '../../../lab/truth/hashing-program.ts';

test('published values', () => {
  const values: [string, bigint][] = [
    ['', 0xef46db3751d8e999n],
    ['a', 0xd24ec4f1a98c6e5bn],
    ['as', 0x1c330fb2d66be179n],
    ['asd', 0x631c37ce72a97393n],
    ['asdf', 0x415872f599cea71en],
    ['Call me Ishmael. Some years ago--never mind how long precisely-', 0x02a2e85470d6fd96n],
  ];
  for (const [text, hash] of values) assert.equal(xxh64(Buffer.from(text)), hash, JSON.stringify(text));
});

test('every length up to 300 bytes agrees with the specification', () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, at) => Math.imul(at + 1, 0x9e3779b1) >>> 24);
  for (let length = 0; length <= bytes.length; length++) {
    assert.equal(
      xxh64(bytes, 0, length),
      hashing.xxh64(Buffer.from(bytes.subarray(0, length))),
      `length ${length}`,
    );
  }
});

test('any bytes, at any offset, in both forms', () => {
  const out = new Uint32Array(2);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 160, size: 'max' }),
      fc.nat(160),
      fc.nat(160),
      (bytes, from, to) => {
        const end = Math.min(to, bytes.length);
        const start = Math.min(from, end);
        const expected = hashing.xxh64(Buffer.from(bytes.slice(start, end)));
        assert.equal(xxh64(bytes, start, end), expected);
        xxh64Into(bytes, start, end, out);
        assert.deepEqual([...out], [Number(expected >> 32n), Number(expected & 0xffffffffn)]);
      },
    ),
    { numRuns: 500 },
  );
});
