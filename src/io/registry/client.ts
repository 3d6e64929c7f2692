import type { SchemaId, WriterSchema } from '../../core/decode/schema/writer-schema.ts';
import { PoisonError, RetryableError } from '../../core/model/errors.ts';
import { type RegistryAnswer, schemaIn } from './answer.ts';
import { compileSchema } from './compile.ts';
import { type RegistryAddress, RegistryHttp } from './http.ts';

const GUIDS = '/schemas/guids/';

/** Fetches schemas from a Confluent-compatible registry. One attempt per call; retries are the caller's. */
export class RegistryClient {
  readonly #address: RegistryAddress;
  readonly #http: RegistryHttp;

  /** @throws ConfigError when a certificate or key file cannot be used */
  constructor(address: RegistryAddress) {
    this.#address = address;
    this.#http = new RegistryHttp(address);
  }

  /**
   * Fetches a schema with its references, and compiles it.
   *
   * @throws PoisonError when the registry has no such schema, or an unusable one
   * @throws RetryableError when the registry does not answer within `timeout`, or answers with a transient error
   */
  async fetch(id: SchemaId): Promise<WriterSchema> {
    const { url, timeout } = this.#address;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      stop.abort(new RetryableError(`${url} has not answered within ${timeout} ms (registry.timeout)`));
    }, timeout);
    try {
      return await compileSchema(id, async (path) => {
        const answer = await this.#http.get(path, stop.signal);
        if (path.startsWith(GUIDS) && answer.status !== 200)
          await this.#refuseGuid(path, answer, stop.signal);
        return schemaIn(answer, id);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * A working registry without schemas by GUID answers 404, as a wrong path would: checks with another request.
   *
   * @throws PoisonError when the registry works
   */
  async #refuseGuid(path: string, { status, url }: RegistryAnswer, signal: AbortSignal): Promise<void> {
    if (![400, 404, 405, 501].includes(status)) return;
    const types = await this.#http.get('/schemas/types', signal);
    if (types.status !== 200 || !Array.isArray(types.data)) return;
    const guid = path.slice(GUIDS.length);
    const message = `the registry has no schema with the GUID ${guid}, or knows none by GUID (${url} answers ${status})`;
    throw new PoisonError('decode', 'schema_id', message);
  }

  async close(): Promise<void> {
    await this.#http.close();
  }
}
