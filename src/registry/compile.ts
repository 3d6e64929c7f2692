import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { type AvroType, avroSchema } from '../decode/avro-reader.ts';
import { protobufSchema } from '../decode/protobuf-schema.ts';
import type { WriterSchema } from '../decode/writer-schema.ts';
import { errorMessage, PoisonError, RetryableError } from '../model/errors.ts';
import type { RegisteredSchema } from './answer.ts';
import { type JsonValidator, jsonSchema } from './json-schema.ts';

/**
 * Schemas of other people use newer drafts than ajv knows by itself, keywords of their own, and formats: none of that
 * is a reason to refuse their records. All faults are wanted, since each may be in another series.
 */
const AJV_OPTIONS = {
  allErrors: true,
  detailedErrorPaths: true,
  strict: false,
  validateSchema: false,
  validateFormats: false,
  logger: false,
} as const;

/** Fetches what the registry has at a path below its address. */
export type GetSchema = (path: string) => Promise<RegisteredSchema>;

/** What the library's HTTP client is to the part of it that fetches schemas. */
interface RegistryApi {
  readonly Schema: { find(schema: { id: number }): Promise<{ data(): RegisteredSchema }> };
  readonly Subject: {
    version(reference: { subject: string; version: number }): Promise<{ data(): RegisteredSchema }>;
  };
}

/**
 * Fetches a schema and those it refers to through `get`, and makes it ready to read records.
 *
 * What a schema refers to, Avro's names and JSON Schema are the library's work; the requests are not. Its own HTTP
 * client has no time limit, never settles when a connection breaks within an answer, gives a connection that failed the
 * status 400, does not tell the registry's error codes, and throws where nobody can catch when an error has the body
 * `null`, which would end the process.
 *
 * @throws PoisonError where the schema is of no use, and what `get` throws
 */
export async function compileSchema(id: number, get: GetSchema): Promise<WriterSchema> {
  const fetched: RegisteredSchema[] = [];
  const ask = async (path: string) => {
    const schema = await get(path);
    fetched.push(schema);
    return { data: () => schema };
  };
  const compiled = await library({
    Schema: { find: (schema) => ask(`/schemas/ids/${schema.id}`) },
    Subject: {
      version: ({ subject, version }) => ask(`/subjects/${encodeURIComponent(subject)}/versions/${version}`),
    },
  })
    .getSchema(id)
    .catch((error: unknown) => error);
  if (compiled instanceof PoisonError || compiled instanceof RetryableError) throw compiled;
  return writerSchema(id, fetched, compiled);
}

/** One for each schema: its cache would keep what it has seen for ever. */
function library(api: RegistryApi): SchemaRegistry {
  const registry = new SchemaRegistry({ host: 'http://unused' }, { [SchemaType.JSON]: AJV_OPTIONS });
  return Object.assign(registry, { api });
}

/** `compiled` is what the library made of the schema, or the error that it threw. */
function writerSchema(
  id: number,
  [schema, ...references]: readonly RegisteredSchema[],
  compiled: unknown,
): WriterSchema {
  if (schema === undefined) throw compiled;
  const { schemaType = 'AVRO' } = schema;
  try {
    // The library compiles Protobuf too, but knows only the first message of a file and none of Google's own.
    if (schemaType === 'PROTOBUF') {
      return protobufSchema(
        schema.schema,
        references.map(({ schema: text }) => text),
      );
    }
    if (compiled instanceof Error) throw compiled;
    return schemaType === 'AVRO' ? avroSchema(compiled as AvroType) : jsonSchema(compiled as JsonValidator);
  } catch (error) {
    const message = `schema ${id} (${schemaType}) cannot be used: ${errorMessage(error)}`;
    throw new PoisonError('decode', 'schema', message, { cause: error });
  }
}
