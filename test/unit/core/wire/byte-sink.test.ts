import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteSink } from '../../../../src/core/wire/byte-sink.ts';

/** Plain twin of a message whose length is written behind its content: the size as a varint, then the content. */
function message(content: readonly number[]): number[] {
  const size: number[] = [];
  let rest = content.length;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) size.push((rest % 128) | 0x80);
  return [...size, rest, ...content];
}

test('a message is closed in place, whatever is before it and however full the buffer is', () => {
  const bytes = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 300 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      bytes,
      bytes,
      fc.integer({ min: 1, max: 3 }),
      (capacity, before, content, reserved) => {
        const sink = new ByteSink(capacity);
        for (const byte of before) sink.byte(byte);
        sink.reserve(reserved);
        sink.length += reserved;
        const start = sink.length;
        for (const byte of content) sink.byte(byte);
        sink.closeMessage(start, reserved);
        assert.deepEqual([...sink.finish()], [...before, ...message(content)]);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('the length of a small message at the end of a full buffer leaves its content alone', () => {
  const sink = new ByteSink(16);
  for (let i = 0; i < 9; i++) sink.byte(9);
  sink.byte(0x0a);
  sink.byte(0);
  for (const byte of [1, 2, 3, 4, 5]) sink.byte(byte);
  sink.closeMessage(11, 1);
  assert.deepEqual([...sink.finish().subarray(9)], [0x0a, 5, 1, 2, 3, 4, 5]);
});
