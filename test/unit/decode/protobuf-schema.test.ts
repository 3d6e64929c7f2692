import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { protobufSchema } from '../../../src/decode/protobuf-schema.ts';
import { PoisonError } from '../../../src/model/errors.ts';
import { compile, protobufWriter } from '../../support/schemas.ts';

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
  assert.throws(() => protobufSchema(text, []), /b\.Label/);
  await assert.rejects(compile('PROTOBUF', text), poison('schema'));
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
