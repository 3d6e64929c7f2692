import type { Socket } from 'node:net';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import type { TlsConnection } from '../credentials/tls-files.ts';

export interface HttpConnectionsOptions {
  readonly url: URL;
  /** Milliseconds for making a connection, and again from the start of a request to the head of its answer. */
  readonly timeoutMs: number;
  /** Options of TLS for a new connection. */
  readonly tls: () => TlsConnection | Record<string, never>;
}

export interface HttpPost {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Aborts the request. */
  readonly signal: AbortSignal;
}

/** An HTTP answer, as far as it is kept. */
export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** The server's time. */
  readonly date: string | undefined;
  /** The beginning of the body. */
  readonly text: string;
}

/** Error code of a request that was sent and not answered in time. */
export const ANSWER_TIMEOUT = 'ERR_ANSWER_TIMEOUT';

/** Idle time after which a connection is closed. Servers close theirs after a minute or more. */
const IDLE_MS = 30_000;
const KEPT_TEXT_BYTES = 8 * 1024;
/** Limits for an answer's body, in ms and bytes; beyond them the connection is closed. */
const BODY_MS = 1_000;
const BODY_BYTES = 1024 * 1024;
/** Lower statuses are interim answers, such as 103 Early Hints. */
const FIRST_FINAL_STATUS = 200;

/**
 * Kept-alive HTTP/1.1 connections of undici to one server, each with one POST at a time. `sentAll` tells when all
 * bodies have been written.
 *
 * Uses `dispatch`: a drain's work on a record is little more than its request, and a stream for the answer's body would
 * cost an eighth to a third of that (docs/internals/measurements.md).
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
      // `Exchange` has exact timeouts of its own instead.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** True when no request is still being written: the memory of answered ones may be reused. */
  get sentAll(): boolean {
    for (const { writableLength } of this.#sockets) if (writableLength > 0) return false;
    return true;
  }

  /** Sends one request. @throws errors of the socket, TLS or undici, `ANSWER_TIMEOUT`, the reason of `signal` */
  post({ headers, body, signal }: HttpPost): Promise<HttpAnswer> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const { url, timeoutMs } = this.#options;
    const exchange = new Exchange(signal, timeoutMs);
    this.#agent.dispatch({ origin: url.origin, path: this.#path, method: 'POST', headers, body }, exchange);
    return exchange.answer;
  }

  /** Closes the connections once the requests under way have ended. No new ones may follow. */
  async finish(): Promise<void> {
    await this.#agent.close();
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** Opens a connection with the certificates now on disk. */
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
 * One request and its answer. Once the status has arrived, neither an endless body nor a broken connection makes it
 * fail: the server has said what became of the request.
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

  /** Settles and aborts. A request that still waits for a connection is aborted in `onRequestStart`. */
  #end(reason: Error): void {
    this.#settle(reason);
    this.#controller?.abort(reason);
  }

  /** @param failure used if no status has arrived; absent at a normal end, as an Error costs a third of a request */
  #settle(failure?: Error): void {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.#aborted);
    const text = Buffer.from(this.#text, 'latin1').toString();
    if (this.#head === undefined) this.#answer.reject(failure);
    else this.#answer.resolve({ ...this.#head, text });
  }
}
