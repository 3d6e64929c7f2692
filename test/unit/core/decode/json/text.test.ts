import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { unescapeJson } from '../../../../../src/core/decode/json/text.ts';
import { Scratch } from '../../../../../src/core/decode/text/byte-text.ts';

function unescaped(text: string): string {
  const scratch = new Scratch();
  const bytes = Buffer.from(`#${text}#`);
  if (!unescapeJson(scratch, bytes, 1, bytes.length - 1)) return text;
  return scratch.bytes.toString('utf8', 0, scratch.length);
}

test('agrees with JSON.parse on what JSON.stringify writes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      assert.equal(unescaped(JSON.stringify(text).slice(1, -1)), text);
    }),
  );
});

test('agrees with JSON.parse on text all of whose characters are escaped', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
      (text) => {
        const escaped = Array.from({ length: text.length }, (_, index) => {
          return `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`;
        }).join('');
        assert.equal(unescaped(escaped), text);
      },
    ),
  );
});

test('what is not an escape stays', () => {
  for (const text of ['\\x', '\\u12', '\\u12g4', 'a\\']) {
    assert.equal(unescaped(text), text);
  }
});

test('half of a surrogate pair becomes bytes that are not UTF-8', () => {
  for (const [text, hex] of [
    ['\\ud83d', 'eda0bd'],
    ['\\ud83d\\u0041', 'eda0bd41'],
    ['\\udc00\\ud83d\\ud83d\\udc00', 'edb080eda0bdf09f9080'],
  ]) {
    const scratch = new Scratch();
    assert.ok(unescapeJson(scratch, Buffer.from(text!), 0, text!.length));
    assert.equal(scratch.bytes.toString('hex', 0, scratch.length), hex);
  }
});
