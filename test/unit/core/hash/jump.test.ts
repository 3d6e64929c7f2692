import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jump, modulo } from '../../../../src/core/hash/jump.ts';
import { hashing } from '../../../lab/truth/hashing-program.ts';

const word = fc.nat(0xffffffff);

test('agrees with the paper for any key and count', () => {
  const count = fc.oneof(fc.integer({ min: 1, max: 2048 }), fc.integer({ min: 1, max: 0x7fffffff }));
  fc.assert(
    fc.property(word, word, count, (high, low, buckets) => {
      assert.equal(jump(high, low, buckets), hashing.jump((BigInt(high) << 32n) | BigInt(low), buckets));
    }),
    { numRuns: 2000 },
  );
});

test('a carry out of the low word is not lost', () => {
  // low * factor + 1 overflows into the high word only if low * factor = 2^32 - 1 modulo 2^32.
  const inverse = inverseModulo32(0x87b0b0fdn);
  const low = Number(BigInt.asUintN(32, -inverse));
  for (const high of [0, 1, 0x7fffffff, 0xffffffff]) {
    assert.equal(jump(high, low, 100_000), hashing.jump((BigInt(high) << 32n) | BigInt(low), 100_000));
  }
});

test('a key stays or goes to a new bucket when the count grows', () => {
  fc.assert(
    fc.property(word, word, fc.integer({ min: 1, max: 5000 }), fc.nat(5000), (high, low, before, more) => {
      const old = jump(high, low, before);
      const next = jump(high, low, before + more);
      assert.ok(old < before && next < before + more);
      assert.ok(next === old || next >= before);
    }),
  );
});

test('modulo is exact for 64 bits', () => {
  fc.assert(
    fc.property(word, word, fc.integer({ min: 1, max: 2 ** 37 }), (high, low, divisor) => {
      const expected = ((BigInt(high) << 32n) | BigInt(low)) % BigInt(divisor);
      assert.equal(modulo(high, low, divisor), Number(expected));
      assert.equal(modulo(high | 0, low | 0, divisor), Number(expected), 'words given as int32');
    }),
    { numRuns: 2000 },
  );
});

/** Newton's iteration: each step doubles the number of right bits. */
function inverseModulo32(odd: bigint): bigint {
  let inverse = odd;
  for (let step = 0; step < 5; step++) inverse = BigInt.asUintN(32, inverse * (2n - odd * inverse));
  return inverse;
}
