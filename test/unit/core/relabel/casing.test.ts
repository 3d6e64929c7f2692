import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toLowerSimple, toUpperSimple } from '../../../../src/core/relabel/casing.ts';

test('one character stays one character', () => {
  assert.equal(toUpperSimple('straße ŉ ﬁ ΐ ᾳ ᾀ ᾼ ſ 𐐨'), 'STRAßE ŉ ﬁ ΐ ᾼ ᾈ ᾼ S 𐐀');
  assert.equal(toLowerSimple('ΣΑΣ İ K Ǆ ᾈ 𐐀'), 'σασ i k ǆ ᾀ 𐐨');
});

test('never changes the number of characters', () => {
  for (let code = 0; code <= 0x10ffff; code++) {
    if (code >= 0xd800 && code < 0xe000) continue;
    const char = String.fromCodePoint(code);
    assert.equal([...toUpperSimple(char)].length, 1, code.toString(16));
    assert.equal([...toLowerSimple(char)].length, 1, code.toString(16));
  }
});
