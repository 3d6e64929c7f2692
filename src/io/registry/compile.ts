import { JsonTraits } from '../../core/decode/json/traits.ts';
import { wholeJson } from '../../core/decode/json/value.ts';
import { avroSchema } from '../../core/decode/schema/avro-reader.ts';
import { parseAvroSchema } from '../../core/decode/schema/avro-schema.ts';
import { protobufSchema } from '../../core/decode/schema/protobuf-schema.ts';
import type { SchemaId, WriterSchema } from '../../core/decode/schema/writer-schema.ts';
import { errorMessage, PoisonError } from '../../core/model/errors.ts';
import type { RegisteredSchema } from './answer.ts';
import { fetchReferences, type ReferencedSchema } from './references.ts';

/** Fetches the schema at a path below the registry's address. */
export type GetSchema = (path: string) => Promise<RegisteredSchema>;

/**
 * Fetches a schema with its references through `get`, and compiles it.
 *
 * @throws PoisonError when the schema is unusable; what `get` throws
 */
export async function compileSchema(id: SchemaId, get: GetSchema): Promise<WriterSchema> {
  const schema = await get(typeof id === 'number' ? `/schemas/ids/${id}` : `/schemas/guids/${id}`);
  // Neither the schema nor its references matter for reading JSON.
  if (schema.schemaType === 'JSON') return JSON_SCHEMA;
  const references = await fetchReferences(id, schema, get);
  try {
    return writerSchema(schema, references);
  } catch (error) {
    const message = `schema ${id} (${schema.schemaType ?? 'AVRO'}) cannot be used: ${errorMessage(error)}`;
    throw new PoisonError('decode', 'schema', message, { cause: error });
  }
}

function writerSchema(
  { schemaType, schema }: RegisteredSchema,
  references: readonly ReferencedSchema[],
): WriterSchema {
  switch (schemaType ?? 'AVRO') {
    case 'AVRO':
      return avroSchema(
        parseAvroSchema(
          schema,
          references.map(({ text }) => text),
        ),
      );
    case 'PROTOBUF':
      return protobufSchema(schema, references);
    default:
      throw new TypeError('expected a schema of the type AVRO, JSON or PROTOBUF');
  }
}

/**
 * Reads JSON without its schema, which is not needed for parsing; Confluent's own deserializers do not validate by
 * default either (`json.fail.invalid.schema`). A record is refused only if the mapping finds no sample in it.
 */
export const JSON_SCHEMA: WriterSchema = {
  read: (body, start, { budget, isVerbatim = false, onOddNumbers } = {}) => {
    const traits = new JsonTraits();
    const value = wholeJson(body, start, traits, { budget, isVerbatim });
    if (traits.hasOddNumbers) onOddNumbers?.();
    return value;
  },
};
