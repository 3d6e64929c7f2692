import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PoisonError } from '../../../../src/core/model/errors.ts';
import type { RegisteredSchema } from '../../../../src/io/registry/answer.ts';
import { compile } from '../../../support/schemas.ts';

const poison = (error: unknown) => error instanceof PoisonError && error.reason === 'schema';

test('schemas that are none are poison', async () => {
  await assert.rejects(compile('AVRO', 'no json'), poison);
  await assert.rejects(compile('AVRO', '{"type":"nothing"}'), poison);
  await assert.rejects(compile('PROTOBUF', 'message {'), poison);
  await assert.rejects(compile('THRIFT', 'struct A {}'), poison);
  await assert.rejects(compile('THRIFT', 'struct A {}'), /THRIFT.*expected a schema of the type AVRO/);
});

test('what a JSON schema says has no part in reading, nor has what it refers to', async () => {
  const schemas: (object | string)[] = [
    {
      $schema: 'http://json-schema.org/draft-04/schema#',
      id: 'http://x/y',
      minimum: 0,
      exclusiveMinimum: true,
    },
    { $schema: 'https://json-schema.org/draft/2020-12/schema', $dynamicRef: '#x', format: 'date-time' },
    { $schema: 'http://a.example/no-such-draft', 'connect.type': 'map' },
    { properties: { name: { $ref: 'other.json' }, value: { $ref: '#/definitions/none', minimum: 5 } } },
    { properties: { name: { pattern: '^\\p{Alpha}++$' } } },
    { properties: { name: { pattern: '^(a+)+$', type: 'integer' } }, required: ['more'] },
    { type: 'nothing', properties: 5 },
    true as unknown as object,
    'no json',
  ];
  for (const schema of schemas) {
    const { read } = await compile('JSON', schema);
    assert.deepEqual(read(Buffer.from('{"name":"up","value":1}'), 0), { name: 'up', value: 1 });
  }
  const { read } = await compile('JSON', {});
  assert.throws(() => read(Buffer.from('{'), 0), PoisonError);
});

/** A registry that has `list` and what it refers to: `a.Label`, which refers to `a.Text`. */
function references(change: Partial<RegisteredSchema> = {}): Record<string, RegisteredSchema> {
  const reference = (name: string, subject: string) => ({ name, subject, version: 3 });
  const named = (name: string, type: string) =>
    JSON.stringify({ type: 'record', name, namespace: 'a', fields: [{ name: 'v', type }] });
  return {
    '/schemas/ids/1': {
      schema: '{"type":"array","items":"a.Label"}',
      references: [reference('a.Label', 'label value')],
    },
    '/subjects/label%20value/versions/3': {
      schema: named('Label', 'a.Text'),
      references: [reference('a.Text', 'text'), reference('a.Label', 'label value')],
    },
    '/subjects/text/versions/3': { schema: named('Text', 'string'), references: null, ...change },
  };
}

test('a schema finds what it refers to, and what that refers to, also in circles', async () => {
  const { read } = await compile('AVRO', '', references());
  assert.deepEqual(read(Buffer.from([2, 2, 0x78, 0]), 0), [{ v: { v: 'x' } }]);
});

test('references that are none are not followed, a schema of too many or too large ones is refused', async () => {
  const odd = { references: [{ name: 'x' }, null, 5] } as unknown as RegisteredSchema;
  await compile('AVRO', '', references(odd));
  const many = Array.from({ length: 501 }, (_, at) => ({ name: `x${at}`, subject: `s${at}`, version: 1 }));
  const all = references({ references: many });
  for (const { subject } of many) all[`/subjects/${subject}/versions/1`] = { schema: '"int"' };
  await assert.rejects(compile('AVRO', '', all), /refers to more than 500 schemas/);
  await assert.rejects(compile('AVRO', '', all), poison);
  const large = references({ schema: `"${'x'.repeat(4 * 1024 * 1024)}"` });
  await assert.rejects(compile('AVRO', '', large), /larger than/);
  await assert.rejects(compile('AVRO', `"${'x'.repeat(4 * 1024 * 1024)}"`), /larger than/);
});

/** `top` and `side` refer to different versions of what they share. */
function diamond(type: string, texts: { top: string; side: string; older: string; newer: string }) {
  const common = (version: number) => ({ name: 'c', subject: 'common', version });
  const side = { name: 'side', subject: 'side', version: 1 };
  const schema = (text: string, references: object[] = []) =>
    ({ schemaType: type, schema: text, references }) as RegisteredSchema;
  return {
    '/schemas/ids/1': schema(texts.top, [side, common(2)]),
    '/subjects/side/versions/1': schema(texts.side, [common(1)]),
    '/subjects/common/versions/1': schema(texts.older),
    '/subjects/common/versions/2': schema(texts.newer),
  };
}

test('of two versions of one reference the nearer one counts', async () => {
  const protobuf = await compile(
    'PROTOBUF',
    '',
    diamond('PROTOBUF', {
      top: 'syntax = "proto3"; import "side"; import "c"; message Top { Side side = 1; C c = 2; }',
      side: 'syntax = "proto3"; import "c"; message Side { C c = 1; }',
      older: 'syntax = "proto3"; message C { int32 a = 1; }',
      newer: 'syntax = "proto3"; message C { int32 a = 1; int32 b = 2; }',
    }),
  );
  assert.deepEqual(protobuf.read(Buffer.from([0, 0x12, 4, 8, 1, 16, 2]), 0), { c: { a: 1, b: 2 } });
  const record = (name: string, ...fields: string[]) =>
    JSON.stringify({ type: 'record', name, fields: fields.map((type, at) => ({ name: `f${at}`, type })) });
  const avro = await compile(
    'AVRO',
    '',
    diamond('AVRO', {
      top: record('Top', 'Side', 'C'),
      side: record('Side', 'C'),
      older: record('C', 'int'),
      newer: record('C', 'int', 'int'),
    }),
  );
  const c = { f0: 1, f1: 2 };
  assert.deepEqual(avro.read(Buffer.from([2, 4, 2, 4]), 0), { f0: { f0: c }, f1: c });
});

test('a type that is null is Avro, as one that is missing', async () => {
  const { read } = await compile('', '', { '/schemas/ids/1': { schemaType: null, schema: '"int"' } });
  assert.equal(read(Buffer.from([2]), 0), 1);
});
