import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_LIMITS } from '../../../../../src/core/decode/decoder.ts';
import { RecordBudget } from '../../../../../src/core/decode/record-budget.ts';
import { PoisonError } from '../../../../../src/core/model/errors.ts';
import { avroWriter, compile } from '../../../../support/schemas.ts';

const EVERYTHING = {
  type: 'record',
  name: 'Everything',
  fields: [
    { name: 'n', type: 'null' },
    { name: 'b', type: 'boolean' },
    { name: 'i', type: 'int' },
    { name: 'l', type: { type: 'long', logicalType: 'time-micros' } },
    { name: 'f', type: 'float' },
    { name: 'd', type: 'double' },
    { name: 's', type: 'string' },
    { name: 'x', type: 'bytes' },
    { name: 'e', type: { type: 'enum', name: 'E', symbols: ['A', 'B'] } },
    { name: 'a', type: { type: 'array', items: 'long' } },
    { name: 'm', type: { type: 'map', values: 'string' } },
    { name: 'u', type: ['null', 'string'] },
    { name: 'next', type: ['null', 'Everything'] },
  ],
};

/** Beyond 2^52 the library writes other numbers than it was given. */
const long = fc.integer({ min: -(2 ** 52), max: 2 ** 52 });
const leaf = {
  n: fc.constant(null),
  b: fc.boolean(),
  i: fc.integer(),
  l: long,
  f: fc.float(),
  d: fc.double(),
  s: fc.string({ unit: 'binary' }),
  x: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  e: fc.constantFrom('A', 'B'),
  a: fc.array(long),
  m: fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }),
  u: fc.option(fc.string()),
};
const everything = fc.record({ ...leaf, next: fc.option(fc.record({ ...leaf, next: fc.constant(null) })) });

const sorted = (value: unknown) => JSON.stringify(value, (_, inner) => (Object.is(inner, -0) ? '-0' : inner));

test('reads what another implementation writes', async () => {
  const write = await avroWriter(EVERYTHING);
  const schema = await compile('AVRO', EVERYTHING);
  fc.assert(
    fc.property(everything, (value) => {
      const read = schema.read(Buffer.concat([Buffer.alloc(5), write(value)]), 5);
      assert.equal(sorted(read), sorted(value));
    }),
  );
});

test('reads every long there is', async () => {
  const schema = await compile('AVRO', '"long"');
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (long) => {
      const read = schema.read(zigzag(long), 0);
      assert.equal(BigInt(read as number), long);
      assert.equal(typeof read, Number.isSafeInteger(Number(long)) ? 'number' : 'bigint');
    }),
  );
});

test('a union of numbers is read as the number, without the name of its branch', async () => {
  const schema = await compile('AVRO', '["null","long","double"]');
  assert.equal(schema.read(Buffer.from([2, 6]), 0), 3);
  assert.equal(schema.read(Buffer.from([0]), 0), null);
});

const malformed: [string, string, Buffer][] = [
  ['cut off', '"double"', Buffer.alloc(7)],
  ['something left over', '"boolean"', Buffer.from([1, 1])],
  ['a branch that is not there', '["null","long"]', zigzag(2n)],
  ['a negative branch', '["null","long"]', zigzag(-1n)],
  ['a list longer than the body', '{"type":"array","items":"long"}', zigzag(2n ** 31n)],
  ['a list of nothing without end', '{"type":"array","items":"null"}', zigzag(2n ** 40n)],
  ['text longer than the body', '"string"', zigzag(2n ** 31n)],
  ['text of a negative length', '"string"', zigzag(-5n)],
  ['text that is no UTF-8', '"string"', Buffer.from([2, 0xff])],
  ['a number of 11 bytes', '"long"', Buffer.alloc(11, 0xff)],
];
for (const [what, schema, body] of malformed) {
  test(`${what} is poison`, async () => {
    const { read } = await compile('AVRO', schema);
    assert.throws(
      () => read(body, 0),
      (error) => error instanceof PoisonError && error.reason === 'avro',
    );
  });
}

const deep = { type: 'record', name: 'Deep', fields: [{ name: 'next', type: 'Deep' }] };
/** Records that hold the one before twice, and nothing at last: 2^40 of them in no bytes. */
const doubling = Array.from({ length: 40 }).reduce<object | string>((inner, _, at) => {
  const named = at === 0 ? inner : `R${at - 1}`;
  const fields = [
    { name: 'a', type: inner },
    { name: 'b', type: named },
  ];
  return { type: 'record', name: `R${at}`, fields };
}, 'null');

test('records of no bytes have an end', async () => {
  const { read } = await compile('AVRO', deep);
  assert.throws(() => read(Buffer.alloc(0), 0), /more than 100 levels/);
  const bomb = await compile('AVRO', doubling);
  assert.throws(
    () => bomb.read(Buffer.alloc(0), 0),
    (error) => error instanceof PoisonError && error.reason === 'too_many_values',
  );
});

test('records of very many fields count for what they take', async () => {
  const fields = Array.from({ length: 200 }, (_, at) => ({ name: `f${at}`, type: 'null' }));
  const { read } = await compile('AVRO', {
    type: 'array',
    items: { type: 'record', name: 'Wide', fields },
  });
  const body = (count: number) => Buffer.concat([zigzag(BigInt(count)), Buffer.alloc(count + 1)]);
  assert.throws(
    () => read(body(20_000), 0),
    (error) => error instanceof PoisonError && error.reason === 'too_many_values',
  );
});

test('a long list of empty values is refused before it fills the memory', async () => {
  const { read } = await compile('AVRO', { type: 'array', items: { type: 'map', values: 'string' } });
  const count = 4_000_000;
  const body = Buffer.concat([zigzag(BigInt(count)), Buffer.alloc(count + 1)]);
  assert.throws(
    () => read(body, 0),
    (error) => error instanceof PoisonError && error.reason === 'too_many_values',
  );
});

test('reading stops where the budget of the record is used up', async () => {
  const { read } = await compile('AVRO', '{"type":"array","items":"int"}');
  const body = Buffer.concat([zigzag(100_000n), Buffer.alloc(100_001)]);
  let now = 0;
  const budget = new RecordBudget({ ...DEFAULT_LIMITS, record_time: 10 }, body.length, () => now++);
  assert.throws(
    () => read(body, 0, { budget }),
    (error) => error instanceof PoisonError && error.reason === 'too_slow',
  );
});

test('a field may have any name', async () => {
  const fields = ['__proto__', 'constructor', 'toString', 'a-b', 'a.b', '1'].map((name) => ({
    name,
    type: 'int',
  }));
  const { read } = await compile('AVRO', { type: 'record', name: 'N', fields });
  const value = read(Buffer.from([2, 4, 6, 8, 10, 12]), 0) as object;
  assert.deepEqual(Object.entries(value).sort(), [
    ['1', 6],
    ['__proto__', 1],
    ['a-b', 4],
    ['a.b', 5],
    ['constructor', 2],
    ['toString', 3],
  ]);
});

test('lists within lists end before the stack does', async () => {
  const schema = {
    type: 'record',
    name: 'L',
    fields: [{ name: 'next', type: { type: 'array', items: 'L' } }],
  };
  const { read } = await compile('AVRO', schema);
  assert.throws(() => read(Buffer.alloc(100_000, 2), 0), /more than 100 levels/);
});

test('any bytes are read or are poison', async () => {
  const { read } = await compile('AVRO', EVERYTHING);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        read(Buffer.from(bytes), 0);
      } catch (error) {
        assert.ok(error instanceof PoisonError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

function zigzag(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}
