import type { WriterSchema } from '../decode/writer-schema.ts';
import { RetryableError } from '../model/errors.ts';
import { schemaIn } from './answer.ts';
import { compileSchema } from './compile.ts';
import { type RegistryAddress, RegistryHttp } from './http.ts';

/** Fetches schemas from a Confluent-compatible registry. One attempt a call; retries are the caller's. */
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
    try {
      return await compileSchema(id, async (path) => schemaIn(await this.#http.get(path, stop.signal), id));
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    await this.#http.close();
  }
}
