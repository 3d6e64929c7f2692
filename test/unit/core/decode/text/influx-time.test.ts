import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InfluxTime } from '../../../../../src/core/decode/text/influx-time.ts';

const NANOS: Record<string, bigint> = { ns: 1n, u: 1000n, ms: 1_000_000n };
const MILLIS: Record<string, bigint> = { s: 1000n, m: 60_000n, h: 3_600_000n };

/** The plain twin: all in bigints; undefined for what 64 bits do not hold. */
function plainMs(timestamp: bigint, precision: string): bigint | undefined {
  const divide = NANOS[precision];
  if (divide !== undefined) return timestamp / (1_000_000n / divide);
  const ms = timestamp * MILLIS[precision]!;
  return BigInt.asIntN(64, ms) === ms ? ms : undefined;
}

function read(text: string, precision: string, trim = 1): number | bigint | undefined {
  const time = new InfluxTime(trim);
  time.begin(0, precision);
  const bytes = Buffer.from(`1${text}1`);
  return time.read(bytes, 1, bytes.length - 1);
}

test('every precision agrees with plain 64-bit arithmetic', () => {
  const anyTime = fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.bigInt({ min: 10n ** 18n, max: 2n * 10n ** 18n }),
    fc.bigInt({ min: -(10n ** 13n), max: 10n ** 13n }),
  );
  const precisions = fc.constantFrom(...Object.keys(NANOS), ...Object.keys(MILLIS));
  fc.assert(
    fc.property(anyTime, precisions, (timestamp, precision) => {
      const ms = timestamp === 0n ? 0 : read(String(timestamp), precision);
      assert.equal(ms === undefined ? ms : BigInt(ms), plainMs(timestamp, precision));
    }),
    { numRuns: 1000 },
  );
});

test('no time wraps around', () => {
  for (const [text, precision] of [
    ['-1700000000000000000', ''],
    ['9223372036854775807', 's'],
    ['-9223372036854775808', 'h'],
    ['153722867280912931', 'm'],
    ['9223372036854775808', 'ns'],
    ['99999999999999999999999999', ''],
  ] as const) {
    assert.equal(read(text, precision), undefined, `${text} ${precision}`);
  }
  assert.equal(read('9223372036854775807', 'ms'), 9223372036854775807n);
  assert.equal(read('-1', ''), -1000);
});

test('what is not a number is refused wherever it stands', () => {
  for (const text of [
    '1700000000x00000000',
    '170000000000000000x',
    '17000000000000-0000',
    '1700000000000 00000',
  ]) {
    assert.equal(read(text, ''), undefined, text);
    assert.equal(read(text, 'ns'), undefined, text);
  }
});

test('times are cut to a multiple where that is configured', () => {
  assert.equal(read('1700000012345678901', 'ns', 60_000), 1_699_999_980_000);
  assert.equal(read('1700000012345', 'ms', 60_000), 1_699_999_980_000);
});
