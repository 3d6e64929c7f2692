import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { copyBytes, equalBytes, viewOf } from '../../../../src/core/wire/bytes.ts';

const run = fc.record({
  bytes: fc.uint8Array({ minLength: 0, maxLength: 60 }),
  i: fc.nat(9),
  j: fc.nat(9),
  flip: fc.nat(59),
});

test('equalBytes agrees with Buffer.compare at any alignment', () => {
  fc.assert(
    fc.property(run, ({ bytes, i, j, flip }) => {
      const a = Buffer.concat([Buffer.alloc(i, 1), bytes, Buffer.alloc(3, 2)]);
      const b = Buffer.concat([Buffer.alloc(j, 3), bytes, Buffer.alloc(5, 4)]);
      const same = () => equalBytes(viewOf(a), i, viewOf(b), j, bytes.length);
      assert.equal(same(), true);
      if (flip < bytes.length) {
        b[j + flip]! ^= 0x10;
        assert.equal(same(), false);
        assert.notEqual(a.compare(b, j, j + bytes.length, i, i + bytes.length), 0);
      }
    }),
  );
});

test('copyBytes agrees with Buffer.copy, and writes nothing beside its range', () => {
  fc.assert(
    fc.property(run, ({ bytes, i, j }) => {
      const from = Buffer.concat([Buffer.alloc(i, 1), bytes, Buffer.alloc(3, 2)]);
      const fast = Buffer.alloc(80, 9);
      const plain = Buffer.alloc(80, 9);
      copyBytes(viewOf(from), i, viewOf(fast), j, bytes.length);
      from.copy(plain, j, i, i + bytes.length);
      assert.deepEqual(fast, plain);
    }),
  );
});

test('copying keeps the bits of every NaN', () => {
  const from = Buffer.from('0200000000000' + '0f07f010000000000f47fffffffffffffffff', 'hex');
  const to = Buffer.alloc(from.length);
  for (let i = 0; i < 20_000; i++) copyBytes(viewOf(from), 0, viewOf(to), 0, from.length);
  assert.deepEqual(to, from);
});
