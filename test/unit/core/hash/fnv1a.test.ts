import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fnv1a32 } from '../../../../src/core/hash/fnv1a.ts';

test('published values', () => {
  assert.equal(fnv1a32(Buffer.from('')), 0x811c9dc5);
  assert.equal(fnv1a32(Buffer.from('a')), 0xe40c292c);
  assert.equal(fnv1a32(Buffer.from('foobar')), 0xbf9cf968);
});

test('a part of the bytes', () => {
  assert.equal(fnv1a32(Buffer.from('xfoobarx'), 1, 7), 0xbf9cf968);
});
