import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareByBytes } from '../../../../src/core/hash/byte-order.ts';

// Code points on both sides of the surrogates, where UTF-16 order and byte order part.
const text = fc
  .array(
    fc.constantFrom('', 'a', 'é', '\u{d7ff}', '\u{e000}', '\u{fffd}', '\u{ffff}', '\u{10000}', '\u{1f600}'),
  )
  .map((parts) => parts.join(''));

test('is the order of the UTF-8 bytes', () => {
  assert.ok('\u{ffff}' > '\u{10000}', 'UTF-16 has them the other way round');
  assert.ok(compareByBytes('\u{ffff}', '\u{10000}') < 0);
  fc.assert(
    fc.property(fc.oneof(text, fc.string({ unit: 'binary' })), text, (a, b) => {
      assert.equal(Math.sign(compareByBytes(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
      assert.equal(Math.sign(compareByBytes(b, a)), Buffer.compare(Buffer.from(b), Buffer.from(a)));
    }),
    { numRuns: 1000 },
  );
});
