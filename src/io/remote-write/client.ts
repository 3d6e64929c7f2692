import { validateHeaderValue } from 'node:http';
import { errorMessage, RetryableError } from '../../core/model/errors.ts';
import type { PreparedChange } from '../../core/model/prepared-change.ts';
import type { TlsSettings } from '../../core/options/tls.ts';
import { compress } from '../../core/wire/snappy.ts';
import { certificateFault, plainTlsMessage } from '../credentials/certificate-fault.ts';
import { type TlsConnection, TlsFiles } from '../credentials/tls-files.ts';
import { epochMs } from '../time/clock.ts';
import { type HttpAnswer, HttpConnections } from './connections.ts';
import {
  AmbiguousDeliveryError,
  BadHeaderError,
  HttpRefusalError,
  HttpRetryableError,
  mayHaveBeenTaken,
  RefusesAllError,
} from './errors.ts';
import { NodeLogin, type NodeLoginOptions } from './login.ts';

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
  /** Absent: Node's defaults for https://. */
  readonly tls?: TlsSettings | undefined;
}

/**
 * Statuses that say nothing about the data: with another credential, URL or time the same body may be accepted.
 * Any other 4xx means that the node will never accept this body.
 */
const NOT_THE_DATA = new Set([401, 402, 403, 404, 405, 406, 407, 408, 421, 423, 425, 429]);
/** Of those, the ones by which a node may ask for a tenant. */
const OF_THE_LOGIN = new Set([401, 403, 407]);
/** Error codes of requests that were never sent. */
const NEVER_SENT = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_INVALID_ARG',
]);
/** A WriteRequest without series: tests whether a node accepts requests, without effect. */
const EMPTY_BODY = compress(Buffer.alloc(0));
/** Headers of every request (remote write 1.0). */
const FIXED_HEADERS = {
  'content-type': 'application/x-protobuf',
  'content-encoding': 'snappy',
  'x-prometheus-remote-write-version': '0.1.0',
};
/** Characters of an error's body kept for the message. */
const MESSAGE_BYTES = 512;

/**
 * Remote write 1.0 client for one node, over kept-alive connections. One attempt per call; retries are the caller's.
 *
 * An unanswered request may have been accepted, or will be once the node resumes. So an empty request must be answered
 * before it is sent again: a node that hangs gets each request twice at most, however long it hangs.
 *
 * A refusal counts only if the node accepts an empty request after it, or other data between two refusals of the same
 * body: vmagent answers 400 to an unknown path, and may be restarted with another path at any time.
 */
export class RemoteWriteClient {
  #node: NodeAccess;
  readonly #systemMs: () => number;
  /** Connections of former addresses and logins, while requests are under way there. */
  readonly #former = new Set<HttpConnections>();
  #generation = 0;
  readonly #unanswered = new WeakSet<RemoteWriteRequest>();
  /** Number of requests with data that the node has accepted. */
  #taken = 0;
  /** `#taken` when a request was first refused. */
  #takenAtRefusal = new WeakMap<RemoteWriteRequest, number>();

  /** @throws ConfigError when a certificate or key file cannot be used */
  constructor(options: RemoteWriteClientOptions, systemMs: () => number = epochMs) {
    this.#node = accessTo(options);
    this.#systemMs = systemMs;
  }

  /** Changes when a prepared change of address, login or TLS takes effect: pauses before a retry then end. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Prepares a change of address, login or TLS. Requests under way finish at the old address; unanswered ones still
   * wait for an empty request to be answered, now at the new address.
   *
   * @throws ConfigError when a certificate or key file cannot be used
   */
  prepare(options: RemoteWriteClientOptions): PreparedChange {
    const node = accessTo(options);
    return {
      commit: () => {
        const { connections } = this.#node;
        this.#former.add(connections);
        void connections
          .finish()
          .catch(() => undefined)
          .finally(() => this.#former.delete(connections));
        this.#node = node;
        this.#takenAtRefusal = new WeakMap();
        this.#generation += 1;
      },
      discard: () => void node.connections.close().catch(() => undefined),
    };
  }

  /**
   * Sends a body once. Resolves to the status code, 2xx. The same `request` object again is another attempt.
   *
   * @throws RetryableError for failures that time or an operator can fix: connection errors, timeouts, 5xx, 429, and
   *   4xx that are not about the data (401, 403, 404, …, and any that an empty request gets too)
   * @throws HttpRefusalError when the node refuses the data
   * @throws BadHeaderError for a tenant header that HTTP cannot carry; nothing is sent
   */
  async send(request: RemoteWriteRequest, signal: AbortSignal): Promise<number> {
    checkHeaders(request.headers);
    if (this.#unanswered.delete(request)) await this.#probe(request, signal);
    const node = this.#node;
    try {
      const code = await this.#post(request, signal);
      this.#taken += 1;
      return code;
    } catch (error) {
      if (mayHaveBeenTaken(error)) this.#unanswered.add(request);
      if (error instanceof HttpRefusalError) {
        if (node === this.#node) await this.#confirm(error, request, signal);
        // A refusal by the former address says nothing about the new one.
        if (node !== this.#node) throw new RefusesAllError(error, 'by the address before the reload');
      }
      throw error;
    }
  }

  /**
   * Confirms a refusal with an empty request, and with another one that names no tenant.
   *
   * @throws RefusesAllError when both are refused; RetryableError when one is not answered, or not for good
   */
  async #confirm(refusal: HttpRefusalError, request: RemoteWriteRequest, signal: AbortSignal): Promise<void> {
    const { headers } = request;
    const takenBefore = this.#takenAtRefusal.get(request);
    if (takenBefore !== undefined && this.#taken > takenBefore) return;
    this.#takenAtRefusal.set(request, this.#taken);
    const isRefused = (tenant: RemoteWriteRequest['headers']) =>
      this.#post({ body: EMPTY_BODY, headers: tenant }, signal).then(
        () => false,
        (error: unknown) => {
          if (error instanceof HttpRefusalError) return true;
          // It refuses the login then, perhaps for want of a tenant: not all requests.
          if (error instanceof HttpRetryableError && tenant !== headers && OF_THE_LOGIN.has(error.code))
            return false;
          throw error;
        },
      );
    if (!(await isRefused(headers))) return;
    // If only the tenant is refused, that is the record's fault.
    if (Object.keys(headers).length > 0 && !(await isRefused({}))) return;
    throw new RefusesAllError(refusal);
  }

  /** True when no request is still being written: the memory of answered ones may be reused. */
  get sentAll(): boolean {
    return [this.#node.connections, ...this.#former].every(({ sentAll }) => sentAll);
  }

  /** Has an empty request answered before `request` is sent: another drain may have sent it already. */
  probeFirst(request: RemoteWriteRequest): void {
    this.#unanswered.add(request);
  }

  /** Sends an empty request. @throws RetryableError while the node does not answer it */
  async #probe(request: RemoteWriteRequest, signal: AbortSignal): Promise<void> {
    try {
      await this.#post({ body: EMPTY_BODY, headers: request.headers }, signal);
    } catch (error) {
      if (error instanceof HttpRefusalError) return; // an answer all the same: some receivers refuse empty requests
      this.#unanswered.add(request);
      if (!mayHaveBeenTaken(error)) throw error;
      throw new RetryableError(
        `${errorMessage(error)} (to an empty request: the last one may have been taken)`,
      );
    }
  }

  async #post({ body, headers }: RemoteWriteRequest, signal: AbortSignal): Promise<number> {
    const { url, userAgent, login, connections } = this.#node;
    let answer: HttpAnswer;
    try {
      const all = { ...FIXED_HEADERS, 'user-agent': userAgent, ...headers, ...login.headers() };
      answer = await connections.post({ headers: all, body, signal });
    } catch (error) {
      if (error instanceof RetryableError) throw error;
      const fault = certificateFault(error);
      const message = `${url}: ${plainTlsMessage(errorMessage(error))}${fault === undefined ? '' : `; ${fault}`}`;
      const neverSent = fault !== undefined || NEVER_SENT.has((error as { code?: string }).code ?? '');
      const Kind = neverSent ? RetryableError : AmbiguousDeliveryError;
      throw new Kind(message, { cause: error });
    }
    const { status: code, text } = answer;
    if (code >= 200 && code < 300) return code;
    // Masked before it is cut, so that no part of a secret remains.
    const said = login.masked(text).slice(0, MESSAGE_BYTES).trim();
    const message = `${url} answered ${code}: ${said}`;
    if (code >= 400 && code < 500 && !NOT_THE_DATA.has(code)) throw new HttpRefusalError(code, message);
    if (code === 401) login.refused();
    throw new HttpRetryableError(code, message, pauseAskedFor(answer, this.#systemMs()));
  }

  async close(): Promise<void> {
    await Promise.all([this.#node.connections, ...this.#former].map((each) => each.close()));
  }
}

/** Address, login and connections of a node. */
interface NodeAccess {
  readonly url: string;
  readonly userAgent: string;
  readonly login: NodeLogin;
  readonly connections: HttpConnections;
}

function accessTo(options: RemoteWriteClientOptions): NodeAccess {
  const { url, userAgent, timeoutMs } = options;
  return {
    url,
    userAgent,
    login: new NodeLogin(options.login ?? {}),
    connections: new HttpConnections({ url: new URL(url), timeoutMs, tls: tlsOptions(options) }),
  };
}

/** Options of TLS with the certificates now on disk. @throws ConfigError when a file cannot be used */
function tlsOptions({ tls }: RemoteWriteClientOptions): () => TlsConnection | Record<string, never> {
  const files = tls === undefined ? undefined : new TlsFiles(tls, "the node's tls");
  return () => files?.current() ?? {};
}

/** Validates tenant headers, which come from records, so from any producer. @throws BadHeaderError */
function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const name in headers) {
    try {
      validateHeaderValue(name, headers[name]!);
    } catch (error) {
      throw new BadHeaderError(
        'deliver',
        'bad_header',
        `the record's header ${name} has a character that HTTP headers cannot carry`,
        { cause: error },
      );
    }
  }
}

/** Retry-After in ms, by the server's clock if the answer has a Date: ours may be off. */
function pauseAskedFor({ retryAfter, date = '' }: HttpAnswer, nowMs: number): number | undefined {
  const serverMs = Date.parse(date);
  return retryAfterMs(retryAfter, Number.isNaN(serverMs) ? nowMs : serverMs);
}

/** Retry-After in milliseconds from now: seconds or an HTTP date (RFC 9110 section 10.2.3). */
export function retryAfterMs(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text.trim())) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
