import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { labelText, sampleValue, timestampMs } from '../../../../../src/core/decode/schema/mapped-values.ts';

test('values are numbers, or text of one', () => {
  const read: [unknown, number | undefined][] = [
    [1.5, 1.5],
    [7n, 7],
    ['-1.5e3', -1500],
    ['.5', 0.5],
    ['+Inf', Number.POSITIVE_INFINITY],
    ['-infinity', Number.NEGATIVE_INFINITY],
    ['NaN', Number.NaN],
    ['', undefined],
    ['0x10', undefined],
    ['1 ', undefined],
    [true, undefined],
    [null, undefined],
    [undefined, undefined],
    [{}, undefined],
  ];
  for (const [value, expected] of read) assert.deepEqual(sampleValue(value), expected, String(value));
});

test('labels are text, numbers and booleans', () => {
  for (const value of ['a', 1, 1n, true]) assert.equal(labelText(value), String(value));
  for (const value of [null, undefined, {}, [], Buffer.from('a')]) assert.equal(labelText(value), undefined);
});

test('a time in any unit is the same ms', () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 43), max: 2 ** 43 }), (ms) => {
      assert.equal(timestampMs(ms, 'ms'), ms);
      assert.equal(timestampMs(ms / 1000, 's'), ms);
      assert.equal(timestampMs(ms * 1000, 'us'), ms);
      assert.equal(timestampMs(BigInt(ms) * 1_000_000n, 'ns'), ms);
      // As JSON.parse reads it, which is some hundred ns off.
      assert.equal(timestampMs(Number(BigInt(ms) * 1_000_000n), 'ns'), ms);
      assert.equal(timestampMs(String(BigInt(ms) * 1_000_000n), 'ns'), ms);
      assert.equal(
        timestampMs(new Date(ms).toISOString(), 'rfc3339'),
        yearOf(ms) < 10_000 && yearOf(ms) >= 0 ? ms : undefined,
      );
    }),
  );
});

const yearOf = (ms: number) => new Date(ms).getUTCFullYear();

test('what is less than a ms is cut off, also before 1970', () => {
  assert.equal(timestampMs(1999n, 'us'), 1);
  assert.equal(timestampMs(-1n, 'us'), -1);
  assert.equal(timestampMs(-1, 'us'), -1);
  assert.equal(timestampMs(1_700_000_000_123_999_999n, 'ns'), 1_700_000_000_123);
  assert.equal(timestampMs('1.9994', 's'), 1999);
  assert.equal(timestampMs('2026-01-31T12:00:00.123999Z', 'rfc3339'), Date.UTC(2026, 0, 31, 12, 0, 0, 123));
});

test("Protobuf's Timestamp needs no unit", () => {
  assert.equal(timestampMs({ seconds: 5, nanos: 6_999_999 }, 's'), 5006);
  assert.equal(timestampMs({ seconds: 5n }, 'rfc3339'), 5000);
  assert.equal(timestampMs({ seconds: 'x' }, 'ms'), undefined);
});

test('what is no time is none', () => {
  for (const value of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY, 9e15, 'x', [], true]) {
    assert.equal(timestampMs(value, 'ms'), undefined, String(value));
  }
  for (const value of [5, '2026-01-31', '2026-13-31T00:00:00Z', '2026-01-31T00:00:00', 'x']) {
    assert.equal(timestampMs(value, 'rfc3339'), undefined, String(value));
  }
});
