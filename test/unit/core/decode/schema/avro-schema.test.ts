import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { avroSchema } from '../../../../../src/core/decode/schema/avro-reader.ts';
import { parseAvroSchema } from '../../../../../src/core/decode/schema/avro-schema.ts';

const read = (schema: unknown, bytes: readonly number[], references: readonly unknown[] = []) => {
  const texts = references.map((reference) => JSON.stringify(reference));
  const type = parseAvroSchema(typeof schema === 'string' ? schema : JSON.stringify(schema), texts);
  return avroSchema(type).read(Buffer.from(bytes), 0);
};
const record = (name: string, fields: readonly object[], more: object = {}) => ({
  type: 'record',
  name,
  fields,
  ...more,
});
const X = [2, 0x78];

describe('what has no part in reading does not refuse a schema', () => {
  const field = { name: 'v', type: 'long' };
  const schemas: [string, object][] = [
    ['a namespace with hyphens', record('R', [field], { namespace: 'com.my-company.metrics' })],
    ['a namespace of other characters', record('R', [field], { namespace: 'büro 1.$a..' })],
    [
      'a namespace that is empty, null or a number',
      record('R', [{ ...field, namespace: 5 }], { namespace: '' }),
    ],
    ['a name with hyphens and dots', record('a.b-c.R-1', [{ name: 'v', type: 'long', aliases: ['w-x'] }])],
    ['no name', { type: 'record', fields: [field] }],
    ['a default of another type', record('R', [{ ...field, default: '' }])],
    ['a default null', record('R', [{ ...field, default: null }])],
    ['a default with a point', record('R', [{ name: 'v', type: 'int', default: 0.0 }])],
    ['a default beyond the type', record('R', [{ name: 'v', type: 'int', default: 2 ** 40 }])],
    ['attributes of others', record('R', [{ ...field, order: 'ascending', 'connect.index': 1 }], { doc: 7 })],
    [
      'a logical type that nobody knows',
      record('R', [{ name: 'v', type: { type: 'long', logicalType: 'x' } }]),
    ],
    ['a type within a type', record('R', [{ name: 'v', type: { type: { type: 'long' } } }])],
    ['an error in place of a record', { ...record('R', [field]), type: 'error' }],
  ];
  for (const [what, schema] of schemas) {
    test(what, () => {
      assert.deepEqual(Object.values(read(schema, [6]) as object), [3]);
    });
  }

  test('a default of another branch of a union', () => {
    const ts = { name: 'ts', type: [{ type: 'long', logicalType: 'time-micros' }], default: null };
    assert.deepEqual(read(record('R', [ts]), [0, 6]), { ts: 3 });
    assert.deepEqual(read(record('R', [{ name: 'v', type: ['long', 'null'], default: null }]), [2]), {
      v: null,
    });
  });
});

describe('names', () => {
  const inner = record('Inner', [{ name: 's', type: 'string' }]);

  test('are looked up within the namespace of what holds them, and then without one', () => {
    const outer = (type: string) =>
      record(
        'Outer',
        [
          { name: 'a', type: inner },
          { name: 'b', type },
        ],
        { namespace: 'n.m' },
      );
    for (const name of ['Inner', 'n.m.Inner']) {
      assert.deepEqual(read(outer(name), [...X, ...X]), { a: { s: 'x' }, b: { s: 'x' } }, name);
    }
    assert.throws(() => read(outer('m.Inner'), []), /"m\.Inner" is defined neither/);
    const plain = { ...inner, namespace: '' };
    const both = record(
      'Outer',
      [
        { name: 'a', type: plain },
        { name: 'b', type: 'Inner' },
      ],
      { namespace: 'n' },
    );
    assert.deepEqual(read(both, [...X, ...X]), { a: { s: 'x' }, b: { s: 'x' } });
  });

  test('may come from references in any order, and from references of those', () => {
    const leaf = record('Leaf', [{ name: 's', type: 'string' }], { namespace: 'z' });
    const middle = record('Middle', [{ name: 'leaf', type: 'z.Leaf' }], { namespace: 'y' });
    const top = record('Top', [{ name: 'middle', type: 'y.Middle' }]);
    const expected = { middle: { leaf: { s: 'x' } } };
    assert.deepEqual(read(top, X, [middle, leaf]), expected);
    assert.deepEqual(read(top, X, [leaf, middle]), expected);
    assert.throws(() => read(top, X, [middle]), /z\.Leaf/);
  });

  test('of types that hold themselves', () => {
    const tree = record('Tree', [{ name: 'more', type: { type: 'array', items: 'Tree' } }], {
      namespace: 'a-b',
    });
    assert.deepEqual(read(tree, [2, 0, 0]), { more: [{ more: [] }] });
  });
});

test('a schema may be a primitive, a union, a list or a map', () => {
  assert.equal(read('string', X), 'x');
  assert.equal(read('"string"', X), 'x');
  assert.equal(read('{"type":"string"}', X), 'x');
  assert.equal(read('["null","string"]', [2, ...X]), 'x');
  assert.deepEqual(read('{"type":"array","items":"string"}', [2, ...X, 0]), ['x']);
  assert.deepEqual({ ...(read('{"type":"map","values":"int"}', [2, ...X, 6, 0]) as object) }, { x: 3 });
});

test('schemas of no use are refused, and the message says why', () => {
  const refused: [unknown, RegExp][] = [
    ['{', /JSON/],
    ['nothing', /"nothing" is defined neither/],
    [{ type: 'record', name: 'R' }, /record "R" has no list of fields/],
    [record('R', [{ type: 'int' }]), /record "R" has a field without a name/],
    [record('R', [{ name: 'a' }]), /nothing is no type/],
    [{ type: 'fixed', name: 'F', size: -1 }, /fixed "F" has the size -1/],
    [{ type: 'enum', name: 'E' }, /enum "E" has no list of symbols/],
    [{ type: 'array' }, /nothing is no type/],
    [7, /JSON|7 is no type/],
  ];
  for (const [schema, message] of refused) assert.throws(() => read(schema, []), message);
  const deep = `${'{"type":"array","items":'.repeat(100_000)}"int"${'}'.repeat(100_000)}`;
  assert.throws(() => read(deep, []), /nest deeper than 300 levels/);
});

describe('logical types', () => {
  const bytes = (scale?: unknown) => ({ type: 'bytes', logicalType: 'decimal', precision: 4, scale });

  test('decimals are text, digit for digit', () => {
    assert.equal(read(bytes(2), [4, 0x30, 0x39]), '123.45');
    assert.equal(read(bytes(2), [2, 0xff]), '-0.01');
    assert.equal(read(bytes(2), [2, 0]), '0.00');
    assert.equal(read(bytes(), [2, 7]), '7');
    assert.equal(read(bytes(0), [0]), '0');
    const wide = [18, 0x40, 0, 0, 0, 0, 0, 0, 0, 1];
    assert.equal(read(bytes(3), wide), '1180591620717411303.425');
    const fixed = { type: 'fixed', name: 'F', size: 3, logicalType: 'decimal', precision: 6, scale: 1 };
    assert.equal(read(fixed, [0xff, 0xff, 0xf5]), '-1.1');
    assert.equal(read({ type: 'bytes', logicalType: 'big-decimal' }, [8, 4, 0x30, 0x39, 4]), '123.45');
  });

  test('a scale that is none, and a number beyond all doubles, leave the bytes', () => {
    assert.deepEqual(read(bytes('2'), [2, 7]), Buffer.from([7]));
    assert.deepEqual(read(bytes(-1), [2, 7]), Buffer.from([7]));
    const long = Array.from({ length: 500 }, () => 1);
    assert.deepEqual(read(bytes(2), [0xe8, 0x07, ...long]), Buffer.from(long));
  });

  test('a UUID is text, of 16 bytes too', () => {
    const uuid = { type: 'fixed', name: 'U', size: 16, logicalType: 'uuid' };
    const given = Array.from({ length: 16 }, (_, at) => at);
    assert.equal(read(uuid, given), '00010203-0405-0607-0809-0a0b0c0d0e0f');
    assert.equal(read({ type: 'string', logicalType: 'uuid' }, X), 'x');
  });

  test('dates and timestamps know their unit', () => {
    const instant = (type: string, logicalType: string, given: number[]) =>
      JSON.stringify(read({ type, logicalType }, given));
    const second = '{"seconds":1,"nanos":0}';
    assert.equal(instant('long', 'timestamp-millis', [0xd0, 0x0f]), second);
    assert.equal(instant('long', 'local-timestamp-micros', [0x80, 0x89, 0x7a]), second);
    assert.equal(instant('long', 'timestamp-nanos', [0x80, 0xa8, 0xd6, 0xb9, 0x07]), second);
    assert.equal(instant('long', 'timestamp-nanos', [1]), '{"seconds":-1,"nanos":999999999}');
    assert.equal(instant('int', 'date', [2]), '{"seconds":86400,"nanos":0}');
    assert.equal(instant('long', 'time-micros', [2]), '1');
  });
});
