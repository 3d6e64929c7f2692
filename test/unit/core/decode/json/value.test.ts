import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { skipValue } from '../../../../../src/core/decode/json/scan.ts';
import { JsonTraits } from '../../../../../src/core/decode/json/traits.ts';
import { wholeJson } from '../../../../../src/core/decode/json/value.ts';
import { wholePart } from '../../../../../src/core/decode/text/whole-part.ts';
import { PoisonError } from '../../../../../src/core/model/errors.ts';

const read = (text: string | Buffer) => wholeJson(Buffer.from(text as string), 0);

/** Numbers that doubles hold as written, so that they stay numbers. */
const NUMBERS = [
  '0',
  '-0',
  '1',
  '1.5',
  '1e3',
  '-2.5E-3',
  '0.001',
  '123456789012345',
  '0.000000000000000001',
  '1.0',
];
/** Numbers whose digits would be lost. */
const TEXTS = [
  '9007199254740993',
  '738529527931269425',
  '-738529527931269426',
  '1700000000001999999',
  '1e400',
  '-1e400',
  '1e-400',
  '0.12345678901234567',
  '1000000000000000000000000',
  '1'.repeat(500),
  '1.700000000001999999e18',
];

for (const text of NUMBERS)
  test(`${text} is a number`, () => assert.deepEqual(read(`[${text}]`), [Number(text)]));
for (const text of TEXTS) {
  test(`${text.slice(0, 30)} keeps its digits`, () =>
    assert.deepEqual(read(` {"a": ${text} }`), { a: text }));
}

test('NaN and infinities need no quotes, wherever they are', () => {
  const text =
    '[NaN, nan,-NaN, Infinity,-Infinity, inf, +Inf,-inf,{"a":NaN,"b":[[-INFINITY]]}, "NaN", "nanx"]';
  const [positive, negative] = ['Infinity', '-Infinity'];
  const all = ['NaN', 'NaN', 'NaN', positive, negative, positive, positive, negative];
  assert.deepEqual(read(text), [...all, { a: 'NaN', b: [[negative]] }, 'NaN', 'nanx']);
});

for (const text of [
  '[NaNa]',
  '[Infinit]',
  '{NaN:1}',
  '[01234567890123456789]',
  '[1234567890123456-7]',
  '[+12345678901234567]',
  '[.12345678901234567]',
  '[1e]',
  '{"a":1,}',
  '[1,]',
  '["a\nb"]',
  '[1] 2',
  '',
]) {
  test(`${JSON.stringify(text)} is not JSON`, () => {
    assert.throws(
      () => read(text),
      (error) => error instanceof PoisonError && error.reason === 'json',
    );
  });
}

test('what JSON.stringify writes is read as JSON.parse reads it, where no digits are at stake', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false, depthSize: 'large' }), (value) => {
      const small = JSON.parse(JSON.stringify(value), (_, each) =>
        typeof each === 'number' ? each | 0 : each,
      );
      assert.deepEqual(read(JSON.stringify(small)), small);
    }),
  );
});

test('the walk accepts what JSON.parse accepts', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'[]{}:,"\\ 1e-.atrufalsn'.split('')) }), (text) => {
      let isJson = true;
      try {
        JSON.parse(text);
      } catch {
        isJson = false;
      }
      const bytes = Buffer.from(text.trim());
      if (isJson) assert.equal(skipValue(bytes, 0, bytes.length, new JsonTraits()), bytes.length, text);
    }),
    { numRuns: 2000 },
  );
});

test('a byte order mark is skipped', () => assert.deepEqual(read('\ufeff[1]'), [1]));

test('UTF-16 is named', () => assert.throws(() => read(Buffer.from('\ufeff{}', 'utf16le')), /UTF-16/));

test('bytes that are not UTF-8 become halves of surrogate pairs, the rest of the text stays', () => {
  const bytes = Buffer.concat([
    Buffer.from('["\u20ac\u{1f600}'),
    Buffer.from([0xe9, 0xc0, 0x80, 0xed, 0xa0, 0x80]),
    Buffer.from('x"]'),
  ]);
  const [text] = read(bytes) as [string];
  assert.equal(text, '\u20ac\u{1f600}\udce9\udcc0\udc80\udced\udca0\udc80x');
  assert.ok(!text.isWellFormed());
});

test('more values than memory should hold are refused, not made', () => {
  for (const part of ['[],', '{},', '"":0,']) {
    const [open, close] = part === '"":0,' ? '{}' : '[]';
    const body = Buffer.from(`${open}${part.repeat(8_000_000)}${part.slice(0, -1)}${close}`);
    assert.throws(
      () => read(body),
      (error) => error instanceof PoisonError && error.reason === 'too_many_values',
    );
  }
});

const PARTS: readonly [text: string, shift: number, floor: bigint | undefined, isExact?: boolean][] = [
  ['1700000000001999999', -6, 1700000000001n, false],
  ['1700000000001000000', -6, 1700000000001n, true],
  ['1.7e18', -6, 1700000000000n, true],
  ['1.700000000001999999e18', 0, 1700000000001999999n, true],
  ['1700000000.001', 3, 1700000000001n, true],
  ['-1.5', 0, -2n, false],
  ['-1', -3, -1n, false],
  ['-0.000', 3, 0n, true],
  ['1e400', 0, undefined],
  ['0e400', 0, 0n, true],
  ['1e-400', 0, 0n, false],
  ['x', 0, undefined],
  ['.', 0, undefined],
  ['', 0, undefined],
];
for (const [text, shift, floor, isExact] of PARTS) {
  test(`${text} times 10^${shift}`, () => {
    assert.deepEqual(wholePart(text, shift), floor === undefined ? undefined : { floor, isExact });
  });
}

test('more different keys than any record has are refused, the same key may come as often as it likes', () => {
  const object = (name: (at: number) => string) =>
    `[${Array.from({ length: 100_000 }, (_, at) => `{"${name(at)}":0}`).join(',')}]`;
  assert.throws(
    () => read(object((at) => `key${at}`)),
    (error) => error instanceof PoisonError && error.reason === 'too_many_values',
  );
  assert.equal((read(object((at) => `key${at % 500}`)) as unknown[]).length, 100_000);
});

const ODD = ['1.10', '1.0', '-0.0', '1e5', '1E5', '1.5e+3', '0.0000001', '-0.00000015', '100.50'];
const PLAIN = ['0', '-0', '10', '100', '1.5', '0.000001', '0.1000001', '10.01', '-0.5', '123456789012345'];

test('read verbatim, numbers that JavaScript would write in another way are text', () => {
  const traits = new JsonTraits();
  for (const text of [...ODD, ...PLAIN]) {
    const isOdd = ODD.includes(text);
    assert.equal(String(Number(text)) !== text && text !== '-0', isOdd, text);
    assert.deepEqual(wholeJson(Buffer.from(`[${text}]`), 0, traits), [Number(text)]);
    assert.equal(traits.hasOddNumbers, isOdd, text);
    const verbatim = wholeJson(Buffer.from(`[${text}]`), 0, traits, { isVerbatim: true });
    assert.deepEqual(verbatim, [isOdd ? text : Number(text)]);
  }
});
