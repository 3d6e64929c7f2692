import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { type AvroType, avroSchema } from '../decode/avro-reader.ts';
import { protobufSchema } from '../decode/protobuf-schema.ts';
import type { WriterSchema } from '../decode/writer-schema.ts';
import { errorMessage, PoisonError, RetryableError } from '../model/errors.ts';
import { type RegisteredSchema, schemaIn } from './answer.ts';
import { type RegistryAddress, RegistryHttp } from './http.ts';
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

/** What the library's HTTP client is to the part of it that fetches schemas. */
interface RegistryApi {
  readonly Schema: { find(schema: { id: number }): Promise<{ data(): RegisteredSchema }> };
  readonly Subject: {
    version(reference: { subject: string; version: number }): Promise<{ data(): RegisteredSchema }>;
  };
}

/**
 * Fetches schemas from a Confluent-compatible registry. One attempt a call; retries are the caller's.
 *
 * What a schema refers to, Avro's names and JSON Schema are the library's work; the requests are made here. Its own
 * HTTP client has no time limit, never settles when a connection breaks within an answer, gives a connection that
 * failed the status 400, does not tell the registry's error codes, and throws where nobody can catch when an error has
 * the body `null`, which would end the process.
 */
export class RegistryClient {
  readonly #address: RegistryAddress;
  readonly #http: RegistryHttp;

  /** @throws ConfigError when a certificate or key file cannot be used */
  constructor(address: RegistryAddress) {
    this.#address = address;
    this.#http = new RegistryHttp(address);
  }

  /**
   * Fetches a schema and those it refers to, and makes it ready to read records.
   *
   * @throws PoisonError where the registry has no such schema, or one that is of no use
   * @throws RetryableError where the registry does not answer within `timeout`, or answers with trouble
   */
  async fetch(id: number): Promise<WriterSchema> {
    const { url, timeout } = this.#address;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      stop.abort(new RetryableError(`${url} has not answered within ${timeout} ms (registry.timeout)`));
    }, timeout);
    const fetched: RegisteredSchema[] = [];
    const get = async (path: string) => {
      const schema = schemaIn(await this.#http.get(path, stop.signal), id);
      fetched.push(schema);
      return { data: () => schema };
    };
    try {
      const compiled = await library({
        Schema: { find: (schema) => get(`/schemas/ids/${schema.id}`) },
        Subject: {
          version: ({ subject, version }) =>
            get(`/subjects/${encodeURIComponent(subject)}/versions/${version}`),
        },
      })
        .getSchema(id)
        .catch((error: unknown) => error);
      if (compiled instanceof PoisonError || compiled instanceof RetryableError) throw compiled;
      return writerSchema(id, fetched, compiled);
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    await this.#http.close();
  }
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
