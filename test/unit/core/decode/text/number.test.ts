import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseFloat64, parseInt64, parseUint64 } from '../../../../../src/core/decode/text/number.ts';

/** The number in the middle of other digits, so that reading past either end shows. */
function within<T>(text: string, parse: (bytes: Buffer, start: number, end: number) => T): T {
  const bytes = Buffer.from(`77${text}77`);
  return parse(bytes, 2, bytes.length - 2);
}

test('floats that fastfloat takes', () => {
  const taken: Record<string, number> = {
    '0': 0,
    '007': 7,
    '-0': -0,
    '.5': 0.5,
    '-.5': -0.5,
    '5.': 5,
    '-5.': -5,
    '5.e3': 5000,
    '1E+3': 1000,
    '0.1': 0.1,
    '0.30000000000000004': 0.30000000000000004,
    '123456789012345678': 123456789012345680,
    '12345678901234567890123': 1.2345678901234568e22,
    '1e308': 1e308,
    '1e400': Number.POSITIVE_INFINITY,
    '-1e400': Number.NEGATIVE_INFINITY,
    '1e-400': 0,
    Inf: Number.POSITIVE_INFINITY,
    '-inf': Number.NEGATIVE_INFINITY,
    '+INFINITY': Number.POSITIVE_INFINITY,
    nAn: Number.NaN,
  };
  for (const [text, value] of Object.entries(taken)) assert.equal(within(text, parseFloat64), value, text);
});

test('text that is no float', () => {
  const refused = [
    '',
    '-',
    '.',
    '-.',
    '+5',
    '1e',
    '1e+',
    'e5',
    '1a',
    '1_0',
    '0x10',
    '1.2.3',
    ' 1',
    '1 ',
    'infi',
  ];
  refused.push(
    '12345678901234567890x',
    '0.1234567890123456789x',
    '1e999x',
    'in',
    'nano',
    '--1',
    '1,5',
    'infinity1',
  );
  for (const text of refused) assert.equal(within(text, parseFloat64), undefined, text);
});

test('a float without exponent is the nearest double', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }), fc.nat({ max: 24 }), (digits, scale) => {
      const text = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0');
      const dotted = scale === 0 ? text : `${text.slice(0, -scale)}.${text.slice(-scale)}`;
      const signed = digits < 0n ? `-${dotted}` : dotted;
      assert.equal(within(signed, parseFloat64), Number(signed), signed);
    }),
  );
});

test('an exponent is at most one bit off, as in fastfloat', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const text = value.toExponential();
      const got = within(text, parseFloat64)!;
      assert.ok(Math.abs(got - value) <= Math.abs(value) * 2 ** -51 + 1e-320, `${text} ▸ ${got}`);
    }),
  );
});

test('whole numbers of 64 bits are exact, those beyond are refused', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 66n), max: 2n ** 66n }), (value) => {
      const signed = within(String(value), parseInt64);
      const unsigned = within(String(value), parseUint64);
      assert.equal(
        signed === undefined ? undefined : BigInt(signed),
        BigInt.asIntN(64, value) === value ? value : undefined,
      );
      const fits = value >= 0n && value < 2n ** 64n;
      assert.equal(unsigned === undefined ? undefined : BigInt(unsigned), fits ? value : undefined);
    }),
  );
  for (const text of ['', '-', '+1', '1.0', '1e3', '0x1', '9'.repeat(100_000)]) {
    assert.equal(within(text, parseInt64), undefined);
  }
  assert.equal(within(`${'0'.repeat(100)}5`, parseInt64), 5);
  assert.ok(Object.is(within('-0', parseInt64), 0));
});
