/** Schemas and records of them, for tests that need no registry. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import protobuf from 'protobufjs';
import type { SchemaSource, WriterSchema } from '../../src/core/decode/schema/writer-schema.ts';
import type { RegisteredSchema } from '../../src/io/registry/answer.ts';
import { compileSchema } from '../../src/io/registry/compile.ts';
import { ROOT } from '../lab/cache.ts';

/** The text of a file in `schemas/`. */
export function documentedSchema(file: string): string {
  return readFileSync(path.join(ROOT, 'schemas', file), 'utf8');
}

/** Compiles a schema as the worker does; `others` has the answers for its references, by path on the registry. */
export function compile(
  schemaType: string,
  schema: string | object,
  others: Readonly<Record<string, RegisteredSchema>> = {},
): Promise<WriterSchema> {
  const text = typeof schema === 'string' ? schema : JSON.stringify(schema);
  const all: Record<string, RegisteredSchema> = { '/schemas/ids/1': { schemaType, schema: text }, ...others };
  return compileSchema(1, async (at) => {
    const found = all[at];
    if (found === undefined) throw new Error(`nothing at ${at}`);
    return found;
  });
}

/** A source of schemas that are all known. */
export function schemaSource(schemas: Readonly<Record<number, WriterSchema>>): SchemaSource {
  return {
    schema(id) {
      const schema = schemas[id as number];
      if (schema === undefined) throw new Error(`the test has no schema ${id}`);
      return schema;
    },
  };
}

/** Confluent's framing: a zero byte, the id, the payload. */
export function frame(id: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(id, 1);
  return Buffer.concat([head, payload]);
}

/** Avro serializer of the library: other code than ours. */
export async function avroWriter(schema: string | object): Promise<(value: object) => Buffer> {
  const text = typeof schema === 'string' ? schema : JSON.stringify(schema);
  const api: object = { Schema: { find: async () => ({ data: () => ({ schema: text }) }) } };
  const registry = new SchemaRegistry({ host: 'http://unused' });
  Object.assign(registry, { api });
  const type = await registry.getSchema(1);
  return (value) => type.toBuffer(value);
}

/** Protobuf serializer: message indexes in front of the message with that name. */
export function protobufWriter(text: string, name: string, indexes: readonly number[]) {
  const type = protobuf.parse(text, { keepCase: true }).root.lookupType(name);
  const head = protobuf.Writer.create();
  if (indexes.length === 1 && indexes[0] === 0) head.sint32(0);
  else {
    head.sint32(indexes.length);
    for (const index of indexes) head.sint32(index);
  }
  const prefix = Buffer.from(head.finish());
  return (value: object): Buffer => Buffer.concat([prefix, type.encode(type.fromObject(value)).finish()]);
}
