import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PoisonError } from '../../../src/model/errors.ts';
import { compile } from '../../support/schemas.ts';

const poison = (error: unknown) => error instanceof PoisonError && error.reason === 'schema';

test('schemas that are none are poison', async () => {
  await assert.rejects(compile('AVRO', 'no json'), poison);
  await assert.rejects(compile('AVRO', '{"type":"nothing"}'), poison);
  await assert.rejects(compile('JSON', '{"type":"nothing"}'), poison);
  await assert.rejects(compile('JSON', '{"$ref":"other.json"}'), poison);
  await assert.rejects(compile('PROTOBUF', 'message {'), poison);
  await assert.rejects(compile('PROTOBUF', 'syntax = "proto3"; message M { Other o = 1; }'), poison);
  await assert.rejects(compile('THRIFT', 'struct A {}'), poison);
});

test('a schema finds what it refers to', async () => {
  const reference = (name: string) => ({ name, subject: 'label value', version: 3 });
  const at = '/subjects/label%20value/versions/3';
  const label = { type: 'record', name: 'Label', namespace: 'a', fields: [{ name: 'v', type: 'string' }] };
  const list = { type: 'array', items: 'a.Label' };
  const outer = { schemaType: 'AVRO', schema: JSON.stringify(list), references: [reference('a.Label')] };
  const avro = await compile('AVRO', list, {
    '/schemas/ids/1': outer,
    [at]: { schemaType: 'AVRO', schema: JSON.stringify(label) },
  });
  assert.deepEqual(avro.read(Buffer.from([2, 2, 0x78, 0]), 0).value, [{ v: 'x' }]);
  const json = await compile(
    'JSON',
    {},
    {
      '/schemas/ids/1': {
        schemaType: 'JSON',
        schema: '{"items":{"$ref":"https://a.example/label.json"}}',
        references: [reference('label.json')],
      } as { schemaType: string; schema: string },
      [at]: { schemaType: 'JSON', schema: '{"$id":"https://a.example/label.json","type":"string"}' },
    },
  );
  assert.deepEqual(
    json.read(Buffer.from('["x",5]'), 0).faults.map(({ pointer }) => pointer),
    ['/1'],
  );
});

test('drafts, keywords and formats that ajv does not know are no obstacle', async () => {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    'connect.type': 'map',
    properties: { at: { type: 'string', format: 'date-time' } },
  };
  const { read } = await compile('JSON', schema);
  assert.deepEqual(read(Buffer.from('{"at":"x"}'), 0), { value: { at: 'x' }, faults: [] });
  assert.throws(() => read(Buffer.from('{'), 0), PoisonError);
});
