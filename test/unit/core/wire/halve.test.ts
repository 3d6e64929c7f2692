import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PoisonError } from '../../../../src/core/model/errors.ts';
import { halveWriteRequest } from '../../../../src/core/wire/halve.ts';

/** A field of a WriteRequest: a series, metadata, or one that nobody knows. */
const field = (number: 1 | 3 | 9, text: string) =>
  Buffer.concat([Buffer.from([number * 8 + 2, text.length]), Buffer.from(text)]);

test('each half has half of the series in their order, the first one all other fields', () => {
  const fields = fc.array(
    fc.tuple(fc.constantFrom(1, 1, 3, 9), fc.string({ unit: 'grapheme-ascii', maxLength: 5 })),
    {
      maxLength: 12,
    },
  );
  fc.assert(
    fc.property(fields, (made) => {
      const of = (wanted: (number: number) => boolean) =>
        made.filter(([number]) => wanted(number)).map(([number, text]) => field(number, text));
      const series = of((number) => number === 1);
      const halves = halveWriteRequest(Buffer.concat(made.map(([number, text]) => field(number, text))));
      if (series.length < 2) return assert.equal(halves, undefined);
      const middle = Math.ceil(series.length / 2);
      const [first, second] = halves!;
      assert.deepEqual(second, Buffer.concat(series.slice(middle)));
      // Metadata may stand anywhere between the series of the first half.
      assert.deepEqual(split(first, 1), series.slice(0, middle));
      assert.deepEqual(
        [...split(first, 3), ...split(first, 9)].toSorted(Buffer.compare),
        [...of((number) => number !== 1)].toSorted(Buffer.compare),
      );
    }),
  );
});

function split(request: Buffer, number: number): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < request.length; at += 2 + request[at + 1]!)
    if (request[at]! >> 3 === number) found.push(request.subarray(at, at + 2 + request[at + 1]!));
  return found;
}

test('a broken request is refused', () => {
  const broken = Buffer.concat([field(1, 'a'), field(1, 'b'), Buffer.from([0x0a, 9])]);
  assert.throws(() => halveWriteRequest(broken), PoisonError);
});

test('a request of a million series is halved without memory for each of them', () => {
  const request = Buffer.alloc(2_000_000, Buffer.from([0x0a, 0]));
  const before = process.memoryUsage().heapUsed;
  const [first, second] = halveWriteRequest(request)!;
  const grown = process.memoryUsage().heapUsed - before;
  assert.deepEqual([first.length, second.length], [1_000_000, 1_000_000]);
  assert.ok(grown < 20_000_000, `${grown} bytes`);
});
