import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { protobufSchema } from '../../../../../src/core/decode/schema/protobuf-schema.ts';
import { documentedSchema, protobufWriter } from '../../../../support/schemas.ts';

const READING = `syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "label.proto";
message Ping {}
message Reading {
  enum Kind { UNKNOWN = 0; GAUGE = 1; }
  message Inner { double the_value = 1; }
  google.protobuf.Timestamp at = 1;
  map<string, Inner> by_name = 2;
  base.Label label = 3;
  Kind kind = 4;
  optional int64 count = 5;
}`;
const LABEL = `syntax = "proto2";
package base;
message Label { required string label_name = 1; optional int32 n = 2 [default = 7]; }`;

/** The same files as FileDescriptorProto: what protoc makes of them, and confluent-kafka for Python registers. */
const DESCRIPTORS = {
  reading:
    'Cg1yZWFkaW5nLnByb3RvEgRzaG9wGh9nb29nbGUvcHJvdG9idWYvdGltZXN0YW1wLnByb3RvGgtsYWJlbC5wcm90byIGCgRQaW5nIrkCCgdS' +
    'ZWFkaW5nEiYKAmF0GAEgASgLMhouZ29vZ2xlLnByb3RvYnVmLlRpbWVzdGFtcBIqCgdieV9uYW1lGAIgAygLMhkuc2hvcC5SZWFkaW5nLkJ5' +
    'TmFtZUVudHJ5EhoKBWxhYmVsGAMgASgLMgsuYmFzZS5MYWJlbBIgCgRraW5kGAQgASgOMhIuc2hvcC5SZWFkaW5nLktpbmQSEgoFY291bnQY' +
    'BSABKANIAIgBARoaCgVJbm5lchIRCgl0aGVfdmFsdWUYASABKAEaQgoLQnlOYW1lRW50cnkSCwoDa2V5GAEgASgJEiIKBXZhbHVlGAIgASgL' +
    'MhMuc2hvcC5SZWFkaW5nLklubmVyOgI4ASIeCgRLaW5kEgsKB1VOS05PV04QABIJCgVHQVVHRRABQggKBl9jb3VudGIGcHJvdG8z',
  label: 'CgtsYWJlbC5wcm90bxIEYmFzZSIpCgVMYWJlbBISCgpsYWJlbF9uYW1lGAEgAigJEgwKAW4YAiABKAU6ATc=',
  batch:
    'ChJtZXRyaWMtYmF0Y2gucHJvdG8SC2lvLnBlbnN0b2NrIjIKC01ldHJpY0JhdGNoEiMKBnNlcmllcxgBIAMoCzITLmlvLnBlbnN0b2NrLlNl' +
    'cmllcyKOAQoGU2VyaWVzEi8KBmxhYmVscxgBIAMoCzIfLmlvLnBlbnN0b2NrLlNlcmllcy5MYWJlbHNFbnRyeRIkCgdzYW1wbGVzGAIgAygL' +
    'MhMuaW8ucGVuc3RvY2suU2FtcGxlGi0KC0xhYmVsc0VudHJ5EgsKA2tleRgBIAEoCRINCgV2YWx1ZRgCIAEoCToCOAEiKgoGU2FtcGxlEhEK' +
    'CXRpbWVzdGFtcBgBIAEoAxINCgV2YWx1ZRgCIAEoAWIGcHJvdG8z',
};

const batch = {
  series: [{ labels: { __name__: 'm', job: 'a' }, samples: [{ timestamp: 1_760_000_000_000, value: 1.5 }] }],
};

describe('a schema that is registered as a descriptor reads what its text does', () => {
  test('MetricBatch', () => {
    const proto = documentedSchema('metric-batch.proto');
    const body = protobufWriter(proto, 'io.penstock.MetricBatch', [0])(batch);
    assert.deepEqual(protobufSchema(DESCRIPTORS.batch, []).read(body, 0), batch);
    assert.deepEqual(protobufSchema(proto, []).read(body, 0), batch);
  });

  // Field by field, written by hand: protobufjs is what reads.
  const reading = Buffer.from([
    ...[2, 2], // indexes: the second message
    ...[0x0a, 2, 0x08, 5], // at: 5 s
    ...[0x12, 14, 0x0a, 1, 0x61, 0x12, 9, 0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f], // by_name: { a: { the_value: 1.5 } }
    ...[0x1a, 3, 0x0a, 1, 0x78], // label: { label_name: 'x' }
    ...[0x20, 1], // kind: GAUGE
    ...[0x28, 9], // count: 9
  ]);
  const expected = {
    at: { seconds: 5, nanos: 0 },
    by_name: { a: { the_value: 1.5 } },
    label: { label_name: 'x' },
    kind: 'GAUGE',
    count: 9,
  };
  for (const [what, text, label] of [
    ['both as texts', READING, LABEL],
    ['both as descriptors', DESCRIPTORS.reading, DESCRIPTORS.label],
    ['a text that refers to a descriptor', READING, DESCRIPTORS.label],
    ['a descriptor that refers to a text', DESCRIPTORS.reading, LABEL],
  ] as const) {
    test(`with references, a map, an enum and Google's types: ${what}`, () => {
      assert.deepEqual(
        protobufSchema(text, [{ name: 'label.proto', text: label }]).read(reading, 0),
        expected,
      );
    });
  }

  test('without its references, what is of their types stays bytes', () => {
    const label = Buffer.from([0x0a, 1, 0x78]);
    for (const text of [READING, DESCRIPTORS.reading])
      assert.deepEqual(protobufSchema(text, []).read(reading, 0), { ...expected, label });
  });

  test('base64 of something else is refused', () => {
    const other = Buffer.from('no descriptor at all').toString('base64');
    assert.throws(() => protobufSchema(other, []));
  });
});

test('a text whose taking apart would hold the thread is refused at once', () => {
  const file = (content: string) => `syntax = "proto3"; ${content} message M { string a = 1; }`;
  const full = (name: string) =>
    `message ${name} { ${Array.from({ length: 1900 }, (_, at) => `int32 f${at} = ${at + 1};`).join('')} }`;
  for (const content of [
    `option a = "${'\\"'.repeat(300_000)}`,
    `option (a) = { ${'b: 1 '.repeat(100_000)} };`,
    `option (a) = { ${'b { } '.repeat(100_000)} };`,
    ['A', 'B', 'C', 'D'].map(full).join(''),
  ]) {
    const { user } = process.cpuUsage();
    assert.throws(() => protobufSchema(file(content), []), RangeError);
    assert.ok(process.cpuUsage().user - user < 1_000_000);
  }
  const comments = '/* it\'s { ; */ // "\n';
  const messages = Array.from({ length: 2500 }, (_, at) => `message A${at} {}`).join('');
  assert.doesNotThrow(() => protobufSchema(file(comments + messages), []));
});
