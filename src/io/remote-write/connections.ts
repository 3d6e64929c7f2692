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
  /** The server's time. */
  readonly date: string | undefined;
  /** The beginning of the body. */
  readonly text: string;
}

/** No answer in time to a request that was sent. */
export const ANSWER_TIMEOUT = 'ERR_ANSWER_TIMEOUT';

/** A connection without a request for this long is closed. Servers close theirs after a minute or more. */
const IDLE_MS = 30_000;
const KEPT_TEXT_BYTES = 8 * 1024;
/** What follows the head of an answer may take so long, and be so large; then the connection is closed. */
const BODY_MS = 1_000;
const BODY_BYTES = 1024 * 1024;
/** Below are interim answers, such as 103 Early Hints; the answer itself is still to come. */
const FIRST_FINAL_STATUS = 200;

/**
 * Kept-alive HTTP/1.1 connections to one server, each with one POST at a time. They are undici's; added is that it is
 * known when a body is on the wire for good.
 *
 * Requests go by `dispatch`: a drain's work on a record is little more than its request, and the stream of an answer's
 * body is an eighth to a third of it (docs/internals/measurements.md).
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

  /** Lets the requests under way come to their end. None may follow. */
  async finish(): Promise<void> {
    await this.#agent.close();
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

/**
 * One request and its answer: that is its status. Once it is there nothing else counts, not that the body never ends, nor
 * that the connection breaks: the server has said what became of the request.
 */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #answer = Promise.withResolvers<HttpAnswer>();
  readonly #signal: AbortSignal;
  readonly #timeoutMs: number;
  #controller: Dispatcher.DispatchController | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Undefined before the head of the answer. */
  #head: Omit<HttpAnswer, 'text'> | undefined;
  #bodyBytes = 0;
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
    if (status < FIRST_FINAL_STATUS) return;
    const first = (name: string) => {
      const value = headers[name];
      return Array.isArray(value) ? value[0] : value;
    };
    this.#head = { status, retryAfter: first('retry-after'), date: first('date') };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#enough, Math.min(BODY_MS, this.#timeoutMs));
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bodyBytes += chunk.length;
    if (this.#bodyBytes > BODY_BYTES) this.#enough();
    const room = KEPT_TEXT_BYTES - this.#text.length;
    if (room > 0) this.#text += chunk.toString('latin1', 0, room);
  }

  onResponseEnd(): void {
    this.#settle();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settle(error);
  }

  readonly #late = (): void => {
    this.#end(
      Object.assign(new Error(`no answer in time (${this.#timeoutMs} ms)`), { code: ANSWER_TIMEOUT }),
    );
  };

  readonly #enough = (): void => this.#end(new Error('the answer is there, and its body does not end'));

  readonly #aborted = (): void => this.#end(this.#signal.reason);

  /** A request that still waits for a connection is told when its turn comes. */
  #end(reason: Error): void {
    this.#settle(reason);
    this.#controller?.abort(reason);
  }

  /** @param failure why there is no answer, where there is none: an error costs as much as a third of a request */
  #settle(failure?: Error): void {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.#aborted);
    const text = Buffer.from(this.#text, 'latin1').toString();
    if (this.#head === undefined) this.#answer.reject(failure);
    else this.#answer.resolve({ ...this.#head, text });
  }
}
