import net from 'node:net';
import tls from 'node:tls';
import { type HttpAnswer, HttpAnswerReader } from './http-answer.ts';

export interface HttpConnectionsOptions {
  readonly url: URL;
  /** Milliseconds for a connection to be made, and then for the request and its whole answer. */
  readonly timeoutMs: number;
  /** Options of TLS for a new connection. */
  readonly tls: () => tls.ConnectionOptions;
}

export interface HttpPost {
  /** Head of the request up to the empty line, that line included. */
  readonly head: string;
  readonly body: Buffer;
  /** Ends the request. */
  readonly signal: AbortSignal;
}

/** No connection was made in time: nothing was sent. */
export const CONNECT_TIMEOUT = 'ERR_CONNECT_TIMEOUT';

/** A connection without a request for this long is closed. Servers close theirs after a minute or more. */
const IDLE_MS = 30_000;
/** Sockets read into this, all of them the same: an answer's text is taken out before the next bytes come. */
const READ_BUFFER = Buffer.allocUnsafeSlow(16 * 1024);

/**
 * Kept-alive HTTP/1.1 connections to one server, each with one POST at a time.
 *
 * Fast path: a drain's work on a record is little more than its request, and this takes a quarter of the CPU time of
 * an HTTP library's request (bench/README.md). It also knows when a body is on the wire for good.
 */
export class HttpConnections {
  readonly #options: HttpConnectionsOptions;
  readonly #idle: Connection[] = [];
  readonly #open = new Set<Connection>();

  constructor(options: HttpConnectionsOptions) {
    this.#options = options;
  }

  /** Nothing of any request is still on its way out: the memory of those that were answered may be used again. */
  get sentAll(): boolean {
    for (const { socket } of this.#open) if (socket.writableLength > 0) return false;
    return true;
  }

  /** Sends one request. @throws Error of the socket, of TLS or of the answer */
  async post(request: HttpPost): Promise<HttpAnswer> {
    request.signal.throwIfAborted();
    return await (this.#idle.pop() ?? this.#connect()).post(request, this.#options.timeoutMs);
  }

  close(): void {
    for (const { socket } of this.#open) socket.destroy();
  }

  #connect(): Connection {
    const connection = new Connection(this.#options, {
      idle: () => this.#idle.push(connection),
      gone: () => {
        this.#open.delete(connection);
        const at = this.#idle.indexOf(connection);
        if (at >= 0) this.#idle.splice(at, 1);
      },
    });
    this.#open.add(connection);
    return connection;
  }
}

interface Running {
  readonly reader: HttpAnswerReader;
  readonly answered: PromiseWithResolvers<HttpAnswer>;
  readonly cleanUp: () => void;
}

class Connection {
  readonly socket: net.Socket;
  readonly #events: { readonly idle: () => void; readonly gone: () => void };
  #running: Running | undefined;
  /** Of TLS: the server is who it has to be. */
  #connected = false;
  #whenConnected: (() => void) | undefined;

  constructor(options: HttpConnectionsOptions, events: { idle: () => void; gone: () => void }) {
    this.#events = events;
    const onread: net.OnReadOpts = {
      buffer: READ_BUFFER,
      callback: (bytes) => {
        this.#read(READ_BUFFER.subarray(0, bytes));
        return true;
      },
    };
    this.socket = connect(options, onread, () => {
      this.#connected = true;
      this.#whenConnected?.();
    });
    this.socket.setNoDelay(true);
    // Reading ends with a socket that nobody resumes; the callback above gets the bytes.
    this.socket.resume();
    this.socket.on('timeout', () => this.socket.destroy()); // it was idle for long enough
    this.socket.on('end', () => {
      const answer = this.#running?.reader.end();
      if (answer !== undefined) this.#settle(answer);
      this.socket.destroy();
    });
    this.socket.on('error', (error) => this.#fail(error));
    this.socket.on('close', () => {
      this.#fail(
        Object.assign(new Error('the connection was closed before an answer'), { code: 'ECONNRESET' }),
      );
      this.#events.gone();
    });
  }

  post({ head, body, signal }: HttpPost, timeoutMs: number): Promise<HttpAnswer> {
    const answered = Promise.withResolvers<HttpAnswer>();
    const late = () => {
      const message = this.#connected ? 'no answer in time' : 'no connection in time';
      const code = this.#connected ? 'ERR_ANSWER_TIMEOUT' : CONNECT_TIMEOUT;
      this.#fail(Object.assign(new Error(`${message} (${timeoutMs} ms)`), { code }));
    };
    const timer = setTimeout(late, timeoutMs);
    const abort = () => this.#fail(signal.reason);
    signal.addEventListener('abort', abort);
    const cleanUp = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    this.#running = { reader: new HttpAnswerReader(), answered, cleanUp };
    const write = () => {
      timer.refresh();
      this.socket.cork();
      this.socket.write(head, 'latin1');
      this.socket.write(body);
      this.socket.uncork();
    };
    this.socket.setTimeout(0);
    this.socket.ref();
    if (this.#connected) write();
    else this.#whenConnected = write;
    return answered.promise;
  }

  #read(bytes: Buffer): void {
    if (this.#running === undefined) {
      this.socket.destroy(); // an answer to nothing
      return;
    }
    try {
      const answer = this.#running.reader.push(bytes);
      if (answer !== undefined) this.#settle(answer);
    } catch (error) {
      this.#fail(error);
    }
  }

  #settle(answer: HttpAnswer): void {
    const { answered, cleanUp } = this.#running!;
    this.#running = undefined;
    cleanUp();
    // A server that answers before it has read the request will not read the next one where it begins.
    if (answer.reusable && this.socket.writableLength === 0 && !this.socket.destroyed) {
      this.socket.setTimeout(IDLE_MS);
      this.socket.unref();
      this.#events.idle();
    } else this.socket.destroy();
    answered.resolve(answer);
  }

  #fail(error: unknown): void {
    this.socket.destroy();
    const running = this.#running;
    this.#running = undefined;
    running?.cleanUp();
    running?.answered.reject(error);
  }
}

function connect(
  { url, tls: secure }: HttpConnectionsOptions,
  onread: net.OnReadOpts,
  connected: () => void,
) {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isSecure = url.protocol === 'https:';
  const to = { host, port: Number(url.port || (isSecure ? 443 : 80)), onread };
  if (!isSecure) return net.connect(to, connected);
  const name = net.isIP(host) === 0 ? { servername: host } : {};
  return tls.connect({ ...to, ...name, ALPNProtocols: ['http/1.1'], ...secure() }, connected);
}
