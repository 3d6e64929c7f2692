import type { Socket } from 'node:net';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import type { TlsConnection } from '../credentials/tls-files.ts';

export interface HttpConnectionsOptions {
  readonly url: URL;
  /** Milliseconds for a connection to be made, and then for the request and its whole answer. */
  readonly timeoutMs: number;
  /** Options of TLS for a new connection. */
  readonly tls: () => TlsConnection | Record<string, never>;
}

export interface HttpPost {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Ends the request. */
  readonly signal: AbortSignal;
}

/** What is kept of an HTTP answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** The beginning of the body. */
  readonly text: string;
}

/** No answer in time to a request that was sent. */
export const ANSWER_TIMEOUT = 'ERR_ANSWER_TIMEOUT';

/** A connection without a request for this long is closed. Servers close theirs after a minute or more. */
const IDLE_MS = 30_000;
const KEPT_TEXT_BYTES = 8 * 1024;

/**
 * Kept-alive HTTP/1.1 connections to one server, each with one POST at a time. They are undici's; added is that it is
 * known when a body is on the wire for good.
 *
 * Requests go by `dispatch`: a drain's work on a record is little more than its request, and the stream of an answer's
 * body is an eighth to a third of it (bench/README.md).
 */
export class HttpConnections {
  readonly #options: HttpConnectionsOptions;
  readonly #agent: Agent;
  readonly #sockets = new Set<Socket>();
  readonly #path: string;

  constructor(options: HttpConnectionsOptions) {
    this.#options = options;
    this.#path = options.url.pathname + options.url.search;
    this.#agent = new Agent({
      connect: (target, done) => this.#connect(target, done),
      pipelining: 1,
      keepAliveTimeout: IDLE_MS,
      // One time limit for the whole answer, kept to the millisecond, is set here instead.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** Nothing of any request is still on its way out: the memory of those that were answered may be used again. */
  get sentAll(): boolean {
    for (const { writableLength } of this.#sockets) if (writableLength > 0) return false;
    return true;
  }

  /** Sends one request. @throws Error of the socket, of TLS or of undici */
  post({ headers, body, signal }: HttpPost): Promise<HttpAnswer> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const { url, timeoutMs } = this.#options;
    const exchange = new Exchange(signal, timeoutMs);
    this.#agent.dispatch({ origin: url.origin, path: this.#path, method: 'POST', headers, body }, exchange);
    return exchange.answer;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** With the certificates of the moment. */
  #connect(target: buildConnector.Options, done: buildConnector.Callback): void {
    const connect = buildConnector({ ...this.#options.tls(), timeout: this.#options.timeoutMs });
    connect(target, (...result) => {
      const [error, socket] = result;
      if (error === null) this.#track(socket);
      done(...result);
    });
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

/** One request and its answer. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #answer = Promise.withResolvers<HttpAnswer>();
  readonly #signal: AbortSignal;
  readonly #timeoutMs: number;
  #controller: Dispatcher.DispatchController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #status = 0;
  #retryAfter: string | undefined;
  #text = '';

  constructor(signal: AbortSignal, timeoutMs: number) {
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
    signal.addEventListener('abort', this.#aborted);
  }

  get answer(): Promise<HttpAnswer> {
    return this.#answer.promise;
  }

  /** There is a connection, and the request is about to be written. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#signal.aborted) this.#aborted();
    else this.#timer = setTimeout(this.#late, this.#timeoutMs);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    const retryAfter = headers['retry-after'];
    this.#status = status;
    this.#retryAfter = Array.isArray(retryAfter) ? retryAfter[0] : retryAfter;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const room = KEPT_TEXT_BYTES - this.#text.length;
    if (room > 0) this.#text += chunk.toString('latin1', 0, room);
  }

  onResponseEnd(): void {
    this.#settled();
    const text = Buffer.from(this.#text, 'latin1').toString();
    this.#answer.resolve({ status: this.#status, retryAfter: this.#retryAfter, text });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settled();
    this.#answer.reject(error);
  }

  readonly #late = (): void => {
    this.#end(
      Object.assign(new Error(`no answer in time (${this.#timeoutMs} ms)`), { code: ANSWER_TIMEOUT }),
    );
  };

  readonly #aborted = (): void => this.#end(this.#signal.reason);

  /** A request that still waits for a connection is told when its turn comes. */
  #end(reason: Error): void {
    this.#settled();
    this.#controller?.abort(reason);
    this.#answer.reject(reason);
  }

  #settled(): void {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.#aborted);
  }
}
