import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PoisonError } from '../../../../src/core/model/errors.ts';
import { ProtobufReader } from '../../../../src/core/wire/protobuf-reader.ts';

const read = (hex: string) => new ProtobufReader(Buffer.from(hex, 'hex'));
const isPoison = (error: unknown) => error instanceof PoisonError && error.reason === 'protobuf';

test('reads the scalar types', () => {
  const reader = read('08ac02' + '11000000000000f03f' + '1a026869' + '20ffffffffffffffffff01' + '2d01020304');
  assert.ok(reader.next());
  assert.equal(reader.field, 1);
  assert.equal(reader.varint(), 300);
  assert.ok(reader.next());
  assert.equal(reader.double(), 1);
  assert.ok(reader.next());
  const start = reader.block();
  assert.equal(Buffer.from(reader.bytes.subarray(start, reader.position)).toString(), 'hi');
  assert.ok(reader.next());
  assert.equal(reader.int64(), -1n);
  assert.ok(reader.next());
  assert.equal(reader.wireType, 5);
  reader.skip();
  assert.equal(reader.next(), false);
});

test('skips groups, nested ones too', () => {
  const reader = read('4b' + '53' + '0801' + '54' + '4c' + '0807');
  assert.ok(reader.next());
  reader.skip();
  assert.ok(reader.next());
  assert.equal(reader.varint(), 7);
});

const MALFORMED: Record<string, string> = {
  'truncated varint': '0880',
  'varint of eleven bytes': '08ffffffffffffffffffff01',
  'truncated fixed64': '0900',
  'truncated fixed32': '0d00',
  'length beyond the end': '0a05aa',
  'length of 2^63': '0affffffffffffffff7f',
  'field number 0': '0200',
  'wire type 6': '0e00',
  'group without end': '4b0801',
  'group ended by another': '4b54',
  'end of a group that did not begin': '4c',
  'groups nested without bound': '4b'.repeat(100),
};

for (const [name, hex] of Object.entries(MALFORMED)) {
  test(`refuses: ${name}`, () => {
    assert.throws(() => {
      const reader = read(hex);
      while (reader.next()) reader.skip();
    }, isPoison);
  });
}

test('a message stays within its own end', () => {
  const outer = read('0a02' + '0a05' + 'aabbccddee');
  assert.ok(outer.next());
  const inner = outer.message();
  assert.ok(inner.next());
  assert.throws(() => inner.block(), isPoison);
});
