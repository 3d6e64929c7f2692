import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { xxh64, xxh64Into } from '../../../src/hash/xxhash64.ts';

const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;

/** The plain twin: the specification, step by step, in BigInt. */
function specified(bytes: Uint8Array): bigint {
  const u64 = (value: bigint) => BigInt.asUintN(64, value);
  const rotate = (value: bigint, bits: bigint) => u64((value << bits) | (value >> (64n - bits)));
  const round = (lane: bigint, input: bigint) => u64(rotate(u64(lane + input * P2), 31n) * P1);
  const view = Buffer.from(bytes);
  let at = 0;
  let hash = P5;
  if (view.length >= 32) {
    const lanes = [u64(P1 + P2), P2, 0n, u64(-P1)];
    for (; at + 32 <= view.length; at += 32) {
      for (let lane = 0; lane < 4; lane++) {
        lanes[lane] = round(lanes[lane]!, view.readBigUInt64LE(at + lane * 8));
      }
    }
    hash = [1n, 7n, 12n, 18n].reduce((sum, bits, lane) => u64(sum + rotate(lanes[lane]!, bits)), 0n);
    for (const lane of lanes) hash = u64((hash ^ round(0n, lane)) * P1 + P4);
  }
  hash = u64(hash + BigInt(view.length));
  for (; at + 8 <= view.length; at += 8) {
    hash = u64(rotate(hash ^ round(0n, view.readBigUInt64LE(at)), 27n) * P1 + P4);
  }
  if (at + 4 <= view.length) {
    hash = u64(rotate(hash ^ u64(BigInt(view.readUInt32LE(at)) * P1), 23n) * P2 + P3);
    at += 4;
  }
  for (; at < view.length; at++) hash = u64(rotate(hash ^ u64(BigInt(view[at]!) * P5), 11n) * P1);
  hash = u64((hash ^ (hash >> 33n)) * P2);
  hash = u64((hash ^ (hash >> 29n)) * P3);
  return hash ^ (hash >> 32n);
}

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
    assert.equal(xxh64(bytes, 0, length), specified(bytes.subarray(0, length)), `length ${length}`);
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
        const expected = specified(bytes.slice(start, end));
        assert.equal(xxh64(bytes, start, end), expected);
        xxh64Into(bytes, start, end, out);
        assert.deepEqual([...out], [Number(expected >> 32n), Number(expected & 0xffffffffn)]);
      },
    ),
    { numRuns: 500 },
  );
});
