import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { elementJson } from '../../../../../src/core/decode/schema/mapped-rejects.ts';
import { valueByPath } from '../../../../../src/core/decode/schema/mapping.ts';
import { protobufSchema } from '../../../../../src/core/decode/schema/protobuf-schema.ts';
import { PoisonError } from '../../../../../src/core/model/errors.ts';
import { compile, protobufWriter } from '../../../../support/schemas.ts';

const NESTED = `syntax = "proto3"; package shop;
  enum Kind { UNKNOWN = 0; GAUGE = 1; }
  message First { message Inner { string a = 1; } message Other { message Deep { int64 b = 1; } } }
  message Second { double value = 1; Kind kind = 2; }`;

const read = (text: string, name: string, indexes: number[], value: object) => {
  const body = protobufWriter(text, name, indexes)(value);
  return protobufSchema(text, []).read(Buffer.concat([Buffer.alloc(5), body]), 5);
};

test('the indexes name the message, enums are none', () => {
  assert.deepEqual(read(NESTED, 'shop.First.Inner', [0, 0], { a: 'x' }), { a: 'x' });
  assert.deepEqual(read(NESTED, 'shop.First.Other.Deep', [0, 1, 0], { b: 5 }), { b: 5 });
  assert.deepEqual(read(NESTED, 'shop.Second', [1], { value: 2, kind: 1 }), { value: 2, kind: 'GAUGE' });
  assert.deepEqual(read(NESTED, 'shop.First', [0], {}), {});
});

const poison = (reason: string) => (error: unknown) =>
  error instanceof PoisonError && error.stage === 'decode' && error.reason === reason;

test('indexes that name nothing are poison', () => {
  const { read: decode } = protobufSchema(NESTED, []);
  for (const bytes of [[2, 4], [2, 1], [4, 0, 8], [1], [100], [], [2], [0xff, 0xff]]) {
    assert.throws(() => decode(Buffer.from(bytes), 0), poison('protobuf_index'), String(bytes));
  }
});

test('a field with presence that is missing is absent, another has its default', () => {
  const proto2 =
    'syntax = "proto2"; message M { required double v = 1; optional int64 t = 2; repeated M m = 3; }';
  assert.deepEqual(protobufSchema(proto2, []).read(Buffer.from([0, 0x10, 5]), 0), { t: 5, m: [] });
  const proto3 =
    'syntax = "proto3"; message M { double v = 1; optional double o = 2; map<string,int64> l = 3; M m = 4; }';
  assert.deepEqual(protobufSchema(proto3, []).read(Buffer.from([0]), 0), { v: 0, l: {} });
});

test('integers of 64 bits are exact', () => {
  const text =
    'syntax = "proto3"; message M { int64 a = 1; uint64 b = 2; fixed64 c = 3; map<string, sint64> d = 4; }';
  const value = {
    a: '-9223372036854775808',
    b: '18446744073709551615',
    c: '5',
    d: { k: '-9007199254740993' },
  };
  const expected = { a: -(2n ** 63n), b: 2n ** 64n - 1n, c: 5, d: { k: -9007199254740993n } };
  assert.deepEqual(read(text, 'M', [0], value), expected);
});

test("Google's types need not be registered, other imports come as references", async () => {
  const text = `syntax = "proto3"; package a; import "google/protobuf/timestamp.proto"; import "label.proto";
    message M { google.protobuf.Timestamp at = 1; b.Label label = 2; }`;
  const label = 'syntax = "proto3"; package b; message Label { string name = 1; }';
  const body = Buffer.from([0, 0x0a, 2, 0x08, 5, 0x12, 3, 0x0a, 1, 0x78]);
  const expected = { at: { seconds: 5, nanos: 0 }, label: { name: 'x' } };
  assert.deepEqual(protobufSchema(text, [{ name: 'label.proto', text: label }]).read(body, 0), expected);
  const alone = await compile('PROTOBUF', text);
  assert.deepEqual(alone.read(body, 0), { ...expected, label: Buffer.from([0x0a, 1, 0x78]) });
});

const parsed = (text: string, bytes: readonly number[], from = 0) =>
  protobufSchema(text, []).read(Buffer.from(bytes), from);

describe('what has no part in reading does not refuse a schema', () => {
  const schemas: [string, string][] = [
    [
      'services',
      'syntax = "proto3"; message M { string a = 1; } service S { rpc Do(Q) returns (stream R); }',
    ],
    [
      "Confluent's meta.proto and options that nobody gave",
      `syntax = "proto3"; import "confluent/meta.proto"; import "buf/validate/validate.proto";
        import "google/protobuf/descriptor.proto"; extend google.protobuf.FieldOptions { string mine = 50001; }
        message M { option (confluent.message_meta) = { doc: "x", params: [{ key: "a", value: "b" }] };
          string a = 1 [(confluent.field_meta).doc = "y", (mine) = "z"]; }`,
    ],
    ['an import that nobody gave', 'syntax = "proto3"; import "no/such.proto"; message M { string a = 1; }'],
    [
      'another message that cannot be read',
      'syntax = "proto3"; message M { string a = 1; } message N { no.Such x = 1; }',
    ],
    [
      'reserved numbers and names',
      'syntax = "proto3"; message M { reserved 2 to max; reserved "b"; string a = 1; }',
    ],
    [
      'edition 2023',
      'edition = "2023"; option features.field_presence = IMPLICIT; message M { string a = 1; }',
    ],
  ];
  for (const [what, text] of schemas) {
    test(what, () => {
      assert.deepEqual(parsed(text, [0, 0x0a, 1, 0x78]), { a: 'x' });
      assert.deepEqual(parsed(text, [0]), { a: '' });
    });
  }
});

test('a field that comes again replaces, a message adds to itself, one of a oneof ends the others', () => {
  const text = `syntax = "proto3"; message M { int32 a = 1; P p = 2; oneof one { int32 x = 3; string y = 4; }
    message P { int32 b = 1; int32 c = 2; } }`;
  const bytes = [0, 8, 1, 8, 2, 0x12, 2, 8, 5, 0x12, 2, 0x10, 6, 0x18, 7, 0x22, 1, 0x78];
  assert.deepEqual(parsed(text, bytes), { a: 2, p: { b: 5, c: 6 }, y: 'x' });
});

test('lists of numbers come packed or one by one, whatever the schema says', () => {
  for (const packed of ['', '[packed = true]', '[packed = false]']) {
    const text = `syntax = "proto2"; message M { repeated int32 n = 1 ${packed}; }`;
    assert.deepEqual(parsed(text, [0, 8, 1, 0x0a, 2, 2, 3, 8, 4]), { n: [1, 2, 3, 4] });
  }
});

test('groups, of proto2 and of editions', () => {
  const proto2 = 'syntax = "proto2"; message M { repeated group G = 1 { optional int32 x = 2; } }';
  assert.deepEqual(parsed(proto2, [0, 0x0b, 0x10, 5, 0x0c, 0x0b, 0x0c]), { g: [{ x: 5 }, {}] });
  const edition = `edition = "2023"; message M { P g = 1 [features.message_encoding = DELIMITED];
    message P { int32 x = 2; } }`;
  assert.deepEqual(parsed(edition, [0, 0x0b, 0x10, 5, 0x0c]), { g: { x: 5 } });
  assert.throws(() => parsed(proto2, [0, 0x0b, 0x10, 5]), poison('protobuf'));
  assert.throws(() => parsed(proto2, [0, 0x0c]), poison('protobuf'));
});

test('every scalar type is read as it was written', () => {
  const types = [
    'double',
    'float',
    'int32',
    'sint32',
    'uint32',
    'fixed32',
    'sfixed32',
    'bool',
    'string',
    'bytes',
  ];
  const text = `syntax = "proto3"; message M { ${types.map((type, at) => `${type} f${at} = ${at + 1};`).join(' ')} }`;
  const value = {
    f0: -1.5,
    f1: 0.5,
    f2: -(2 ** 31),
    f3: -(2 ** 31),
    f4: 2 ** 32 - 1,
    f5: 2 ** 32 - 1,
    f6: -1,
    f7: true,
    f8: 'käse',
    f9: Buffer.from([1, 2]),
  };
  assert.deepEqual(read(text, 'M', [0], value), value);
  for (const special of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    assert.equal((read(text, 'M', [0], { f0: special }) as { f0: number }).f0, special);
  }
  assert.throws(() => parsed(text, [0, 0x4a, 1, 0xff]), poison('protobuf'));
});

test('a key of any name is a key', () => {
  const text = 'syntax = "proto3"; message M { map<string, string> l = 1; map<int64, bool> n = 2; }';
  const bytes = [0, 0x0a, 14, 0x0a, 9, ...Buffer.from('__proto__'), 0x12, 1, 0x78, 0x0a, 0, 0x12, 2, 8, 5];
  const { l, n } = parsed(text, bytes) as { l: object; n: object };
  assert.deepEqual(Object.entries(l), [
    ['__proto__', 'x'],
    ['', ''],
  ]);
  assert.deepEqual(n, { 5: false });
});

describe('records without message indexes', () => {
  const text = `syntax = "proto3"; message M { string name = 1; double value = 2; message Inner { int32 a = 1; } }
    message N { int32 z = 15; }`;
  const message = [0x0a, 2, 0x75, 0x70, 0x11, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f];

  test('are read as the first message where that has all of their fields', () => {
    assert.deepEqual(parsed(text, message), { name: 'up', value: 1.5 });
    assert.deepEqual(parsed(text, [0, ...message]), { name: 'up', value: 1.5 });
    assert.deepEqual(parsed(text, message.slice(4)), { name: '', value: 1.5 });
  });

  test('are poison where it has not, or where they are cut off', () => {
    for (const bytes of [[0x78, 5], [...message, 0x18, 1], message.slice(0, -1), [0x08, 1]]) {
      assert.throws(() => parsed(text, bytes), poison('protobuf_index'));
    }
  });

  test('nor with what follows from a header', () => {
    const { read: decode } = protobufSchema(text, []);
    const body = Buffer.from(message);
    assert.deepEqual(decode(body, 0, { indexes: Buffer.from([0]) }), { name: 'up', value: 1.5 });
    assert.deepEqual(decode(body, 0, { indexes: Buffer.alloc(0) }), { name: 'up', value: 1.5 });
    assert.deepEqual(decode(Buffer.from([0x78, 5]), 0, { indexes: Buffer.from([2, 2]) }), { z: 5 });
  });

  test('indexes without zigzag, as some clients once wrote them', () => {
    assert.deepEqual(parsed(text, [1, 1, 0x78, 5]), { z: 5 });
    assert.deepEqual(parsed(text, [2, 0, 0, 8, 5]), { a: 5 });
    assert.deepEqual(parsed(text, [2, 2, 0x78, 5]), { z: 5 });
  });
});

test('a record most of whose fields its schema does not have is poison, one with a few of them is read', () => {
  const text = 'syntax = "proto3"; message M { int32 a = 1; repeated M m = 2; }';
  assert.throws(() => parsed(text, [0, 0x1a, 1, 0x78]), poison('protobuf'));
  assert.throws(() => parsed(text, [0, 0x0a, 1, 0x78]), /1 of its 1 fields/);
  assert.deepEqual(parsed(text, [0, 8, 5, 0x1a, 1, 0x78]), { a: 5, m: [] });
  const extended = 'syntax = "proto2"; message M { optional int32 a = 1; extensions 100 to 200; }';
  assert.deepEqual(parsed(extended, [0, 0xa0, 6, 1]), {});
});

test('a schema that would hold the thread while it is taken apart is refused', () => {
  const fields = Array.from({ length: 2001 }, (_, at) => `int32 f${at} = ${at + 1};`).join('\n');
  assert.throws(() => protobufSchema(`message M { ${fields} }`, []), /more than 2000 statements/);
  assert.throws(() => protobufSchema(`/*${'*'.repeat(1024 * 1024)}`, []), /more than 1048576 characters/);
  const commented = `syntax = "proto3"; /* ${';'.repeat(3000)} */ message M { string a = 1; } // ${'{;'.repeat(2000)}`;
  assert.deepEqual(parsed(commented, [0, 0x0a, 1, 0x78]), { a: 'x' });
});

test('messages that stand for a value are read as that value', () => {
  const text = `syntax = "proto3"; import "google/protobuf/wrappers.proto"; import "google/protobuf/struct.proto";
    import "confluent/type/decimal.proto"; import "google/type/money.proto"; import "google/type/datetime.proto";
    message M { google.protobuf.DoubleValue value = 1; google.protobuf.StringValue name = 2;
      confluent.type.Decimal exact = 3; google.type.Money cost = 4; google.protobuf.Struct tags = 5;
      google.protobuf.Int64Value none = 6; google.type.DateTime at = 7; }`;
  const bytes = [
    ...[0, 0x0a, 9, 9, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0x12, 3, 0x0a, 1, 0x78],
    ...[0x1a, 8, 0x0a, 2, 0x30, 0x39, 0x10, 5, 0x18, 2],
    ...[0x22, 8, 0x10, 3, 0x18, 0x80, 0xca, 0xb5, 0xee, 1],
    ...[0x2a, 10, 0x0a, 8, 0x0a, 1, 0x6b, 0x12, 3, 0x1a, 1, 0x76],
  ];
  const message = parsed(text, bytes);
  const at = (path: string) => valueByPath(message, path.split('.'));
  assert.equal(at('value'), 1.5);
  assert.equal(at('value.value'), 1.5);
  assert.equal(at('name'), 'x');
  assert.equal(at('exact'), '123.45');
  assert.equal(at('cost'), '3.5');
  assert.equal(at('none'), undefined);
  assert.equal(at('tags.fields.k'), 'v');
  const json = JSON.parse(elementJson(message));
  assert.deepEqual(json, { value: 1.5, name: 'x', exact: '123.45', cost: '3.5', tags: { k: 'v' } });
});

test('any bytes are read or are poison', () => {
  const text = `syntax = "proto2"; message M { repeated M m = 1; map<string, M> l = 2; optional group G = 3 { optional fixed64 x = 1; }
    repeated int32 p = 4 [packed=true]; optional string s = 5; }`;
  const { read: decode } = protobufSchema(text, []);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (bytes, first) => {
      try {
        decode(Buffer.from(first ? [0, ...bytes] : bytes), 0);
      } catch (error) {
        assert.ok(error instanceof PoisonError, String(error));
      }
    }),
    { numRuns: 3000 },
  );
});

test('messages within messages end before the stack does', () => {
  const { read: decode } = protobufSchema(
    'syntax = "proto2"; message M { optional group G = 1 { optional M m = 2; } }',
    [],
  );
  assert.throws(
    () => decode(Buffer.concat([Buffer.from([0]), Buffer.alloc(100_000, 0x0b)]), 0),
    poison('protobuf'),
  );
});

test('a field of a type that is not there leaves the others as they are', () => {
  const { read: decode } = protobufSchema(
    `syntax = "proto3"; import "google/protobuf/api.proto"; import weak "google/protobuf/timestamp.proto";
    message M { string name = 1; google.protobuf.Api api = 2; repeated no.Where many = 3; no.Enum kind = 4;
      map<string, no.Where> by = 5; google.protobuf.Timestamp at = 6; }`,
    [],
  );
  const bytes = [0, 0x0a, 1, 0x6d, 0x12, 1, 7, 0x1a, 1, 8, 0x1a, 1, 9, 0x20, 3, 0x2a, 0, 0x32, 2, 8, 5];
  const message = decode(Buffer.from(bytes), 0) as Record<string, unknown>;
  assert.deepEqual(message, {
    name: 'm',
    api: Buffer.from([7]),
    many: Buffer.from([9]),
    kind: 3,
    by: Buffer.alloc(0),
    at: { seconds: 5, nanos: 0 },
  });
});
