import { Agent, buildConnector } from 'undici';
import { errorMessage, PoisonError, RetryableError } from '../../core/model/errors.ts';
import { certificateFault, plainTlsMessage } from '../credentials/certificate-fault.ts';
import { TlsFiles } from '../credentials/tls-files.ts';
import type { RegistryAnswer } from './answer.ts';
import { isSchema } from './answer.ts';
import type { RegistryOptions } from './options.ts';

const MASK = '********';
/** Largest answer, in bytes. Registries on Kafka accept schemas of 1 MiB; JSON escapes enlarge them. */
const MAX_BYTES = 32 * 1024 * 1024;

/** Options of a configured registry. */
export type RegistryAddress = RegistryOptions & { readonly url: string };

/** HTTP client for a registry, over kept-alive connections. One attempt per call. */
export class RegistryHttp {
  readonly #base: string;
  readonly #agent: Agent;
  readonly #authorization: Readonly<Record<string, string>>;
  /** Masked in answers with another status than 200: proxies may return what they were sent. */
  readonly #secrets: readonly string[];

  /** @throws ConfigError when a certificate or key file cannot be used */
  constructor({ url, username, password = '', timeout, tls }: RegistryAddress) {
    this.#base = url.replace(/\/+$/, '');
    const files = url.startsWith('https:') ? new TlsFiles(tls, 'registry.tls') : undefined;
    this.#agent = new Agent({
      // Opens connections with the certificates now on disk.
      connect: (options, callback) =>
        buildConnector({ ...(files?.current() ?? {}), timeout })(options, callback),
      headersTimeout: timeout,
      bodyTimeout: timeout,
    });
    const login = Buffer.from(`${username}:${password}`).toString('base64');
    this.#authorization = username === undefined ? {} : { authorization: `Basic ${login}` };
    this.#secrets = [login, password].filter((secret) => username !== undefined && secret !== '');
  }

  /**
   * Sends a GET. Any status is an answer.
   *
   * @throws PoisonError when a schema is too large: it never changes, so waiting would not help
   * @throws RetryableError when there is no answer; the reason of `signal` when it aborts first
   */
  async get(path: string, signal: AbortSignal): Promise<RegistryAnswer> {
    const url = this.#base + path;
    try {
      const { origin, pathname, search } = new URL(url);
      const { statusCode, body } = await this.#agent.request({
        origin,
        path: pathname + search,
        method: 'GET',
        headers: {
          accept: 'application/vnd.schemaregistry.v1+json, application/json',
          'user-agent': 'penstock',
          ...this.#authorization,
        },
        signal,
      });
      const text = await textOf(url, statusCode, body);
      const data = parsed(text);
      // Whatever is no schema may end in an error message, and a proxy may repeat the login in it.
      return { url, status: statusCode, data: isSchema(data) ? data : parsed(this.#masked(text)) };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof RetryableError || error instanceof PoisonError) throw error;
      const fault = certificateFault(error);
      const what = `${plainTlsMessage(errorMessage(error))}${fault === undefined ? '' : `; ${fault}`}`;
      throw new RetryableError(`${url} does not answer: ${what}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #masked(text: string): string {
    return this.#secrets.reduce((masked, secret) => masked.replaceAll(secret, MASK), text);
  }
}

/** The body of an answer. @throws PoisonError (status 200) or RetryableError beyond `MAX_BYTES` */
async function textOf(url: string, status: number, body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw tooLarge(url, status);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function tooLarge(url: string, status: number): Error {
  const what = `${url} answers with more than ${MAX_BYTES} bytes`;
  return status === 200 ? new PoisonError('decode', 'schema', what) : new RetryableError(what);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
