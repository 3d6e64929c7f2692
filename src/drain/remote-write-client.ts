import { Agent, buildConnector, type Dispatcher } from 'undici';
import { certificateFault, plainTlsMessage } from '../credentials/certificate-fault.ts';
import { TlsFiles } from '../credentials/tls-files.ts';
import { errorMessage, PoisonError, RetryableError } from '../model/errors.ts';
import type { TlsSettings } from '../tls-options.ts';
import { NodeLogin, type NodeLoginOptions } from './node-login.ts';

/** One body for a node: snappy(WriteRequest), as it was stored. */
export interface RemoteWriteRequest {
  readonly body: Buffer;
  /** Tenant headers, as received. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface RemoteWriteClientOptions {
  /** Complete URL of the node's remote-write endpoint. */
  readonly url: string;
  /** Milliseconds until an unanswered request is given up. */
  readonly timeoutMs: number;
  readonly userAgent: string;
  /** Absent: none. */
  readonly login?: NodeLoginOptions;
  /** Absent: what https:// does by itself. */
  readonly tls?: TlsSettings | undefined;
}

/**
 * Answers that say nothing about the data: another credential, URL or moment, and the same body is taken.
 * The rest of 4xx means that the node will never take this body.
 */
const NOT_THE_DATA = new Set([401, 402, 403, 404, 405, 406, 407, 408, 421, 423, 425, 429]);
/** Bytes of an error's body that are kept for the message. */
const MESSAGE_BYTES = 512;

/** Speaks remote write 1.0 to one node over kept-alive connections. One attempt a call; retries are the caller's. */
export class RemoteWriteClient {
  readonly #options: RemoteWriteClientOptions;
  readonly #login: NodeLogin;
  readonly #agent: Agent;

  /** @throws ConfigError when a certificate or key file cannot be used */
  constructor(options: RemoteWriteClientOptions) {
    this.#options = options;
    this.#login = new NodeLogin(options.login ?? {});
    this.#agent = new Agent({
      connect: connector(options),
      pipelining: 1,
      keepAliveTimeout: 60_000,
    });
  }

  /**
   * Sends a body once. Resolves to the status code, 2xx.
   *
   * @throws RetryableError for trouble that time or an operator can mend: connection errors, timeouts, 5xx, 429,
   *   and 4xx that are not about the data (401, 403, 404, …)
   * @throws PoisonError with reason `http_<code>` when the node refuses the data
   */
  async send({ body, headers }: RemoteWriteRequest, signal: AbortSignal): Promise<number> {
    const { url, timeoutMs, userAgent } = this.#options;
    let response: Dispatcher.ResponseData;
    try {
      const { origin, pathname, search } = new URL(url);
      response = await this.#agent.request({
        origin,
        path: pathname + search,
        method: 'POST',
        headers: {
          'content-type': 'application/x-protobuf',
          'content-encoding': 'snappy',
          'x-prometheus-remote-write-version': '0.1.0',
          'user-agent': userAgent,
          ...headers,
          ...this.#login.headers(),
        },
        body,
        signal,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      });
    } catch (error) {
      if (error instanceof RetryableError) throw error;
      const fault = certificateFault(error);
      const message = `${url}: ${plainTlsMessage(errorMessage(error))}${fault === undefined ? '' : `; ${fault}`}`;
      throw new RetryableError(message, { cause: error });
    }
    const code = response.statusCode;
    if (code >= 200 && code < 300) {
      await response.body.dump().catch(() => undefined);
      return code;
    }
    const text = await response.body.text().catch(() => '');
    // Masked before it is cut: half a secret is one too.
    const said = this.#login.masked(text).slice(0, MESSAGE_BYTES).trim();
    const message = `${url} answered ${code}: ${said}`;
    if (code >= 400 && code < 500 && !NOT_THE_DATA.has(code))
      throw new PoisonError('deliver', `http_${code}`, message);
    if (code === 401) this.#login.refused();
    throw new HttpRetryableError(code, message, retryAfterMs(response.headers['retry-after'], Date.now()));
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** Opens connections with the certificates of the moment. */
function connector({ tls, timeoutMs }: RemoteWriteClientOptions): buildConnector.connector {
  const files = tls === undefined ? undefined : new TlsFiles(tls, "the node's tls");
  const build = () => buildConnector({ ...(files?.current() ?? {}), timeout: timeoutMs });
  const unchanging = files === undefined ? build() : undefined;
  return (options, callback) => (unchanging ?? build())(options, callback);
}

/** An answer that asks to come again. */
export class HttpRetryableError extends RetryableError {
  readonly code: number;

  constructor(code: number, message: string, retryAfter: number | undefined) {
    super(message, { retryAfterMs: retryAfter });
    this.code = code;
  }
}

/** Retry-After in milliseconds from now: seconds or an HTTP date (RFC 9110 section 10.2.3). */
export function retryAfterMs(header: string | string[] | undefined, nowMs: number): number | undefined {
  const text = Array.isArray(header) ? header[0] : header;
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text.trim())) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
