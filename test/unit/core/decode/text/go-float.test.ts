import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatExponent3, formatGeneral, formatPlain } from '../../../../../src/core/decode/text/go-float.ts';

/** Value ▸ Go's FormatFloat with f, e (precision 3) and g. */
const FORMS: readonly [number, string, string, string][] = [
  [0, '0', '0.000e+00', '0'],
  [-0, '-0', '-0.000e+00', '-0'],
  [1.5, '1.5', '1.500e+00', '1.5'],
  [-1e21, '-1000000000000000000000', '-1.000e+21', '-1e+21'],
  [1.25e22, '12500000000000000000000', '1.250e+22', '1.25e+22'],
  [1e-7, '0.0000001', '1.000e-07', '1e-07'],
  [1.25e-7, '0.000000125', '1.250e-07', '1.25e-07'],
  [123456, '123456', '1.235e+05', '123456'],
  [1234567, '1234567', '1.235e+06', '1.234567e+06'],
  // Exact ties: to even.
  [2 ** -6, '0.015625', '1.562e-02', '0.015625'],
  [1.1875e1, '11.875', '1.188e+01', '11.875'],
  [1e100, `1${'0'.repeat(100)}`, '1.000e+100', '1e+100'],
  [Number.NaN, 'NaN', 'NaN', 'NaN'],
  [Number.POSITIVE_INFINITY, '+Inf', '+Inf', '+Inf'],
  [Number.NEGATIVE_INFINITY, '-Inf', '-Inf', '-Inf'],
];

for (const [value, plain, exponent, general] of FORMS) {
  test(`${value} as Go writes it`, () => {
    assert.deepEqual(
      [formatPlain(value), formatExponent3(value), formatGeneral(value)],
      [plain, exponent, general],
    );
  });
}
