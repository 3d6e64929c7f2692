import type { Socket } from 'node:net';
import { errorMessage } from '../../../core/model/errors.ts';
import { giveBack } from '../../../core/wire/memory.ts';
import { certificateFault } from '../../credentials/certificate-fault.ts';
import { isUnanswered } from '../errors.ts';
import { type BrokerResponse, ResponseReader } from './response-reader.ts';

interface Protocol {
  readonly request: { readonly apiKey: number; encode(): unknown };
  /** Most time for the answer in ms, where it is not the connection's `requestTimeout`. */
  readonly requestTimeout?: number;
}

/** While a login is under way its answers go here instead of to the requests that wait. */
interface LoginHandlers {
  onSuccess(answer: Buffer): void;
}

interface Connection {
  readonly sasl: unknown;
  /** In ms. */
  readonly connectionTimeout: number;
  /** Of the last login, as `process.hrtime` gives it. */
  readonly authenticatedAt: [seconds: number, nanos: number] | null;
  readonly authHandlers: LoginHandlers | null;
  /** The login's answers are framed as Kafka's are. */
  readonly authExpectResponse: boolean;
  readonly requestQueue: { fulfillRequest(response: BrokerResponse): void };
  /** Undefined before the first connection. */
  readonly socket: Socket | undefined;
  isConnected(): boolean;
  isAuthenticated(): boolean;
  send(protocol: Protocol): Promise<unknown>;
  connect(): Promise<boolean>;
  authenticate(): Promise<void>;
  disconnect(): Promise<boolean>;
  rejectRequests(error: Error): void;
  processData(piece: Buffer): void;
}

/** ApiVersions, SaslHandshake, SaslAuthenticate: what is sent without a login, or to make one. */
export const LOGIN_REQUESTS: ReadonlySet<number> = new Set([18, 17, 36]);
/** A login this fresh is not renewed, however short its session: the broker takes no two within a second. */
const FRESH_LOGIN_MS = 2_000;
const PRODUCE = 0;

/** A broker has not answered. kafkajs turns to the next one at an error of this name alone. */
export class SilentBrokerError extends Error {
  override readonly name = 'KafkaJSConnectionError';
  /** kafkajs' word for "try again". */
  readonly retriable = true;

  constructor(cause: unknown) {
    super(errorMessage(cause), { cause });
  }
}

/**
 * kafkajs' connection with these changes.
 *
 * - Its failures over a certificate are final. The original tries each as often as a broker that is away: with
 *   patient retries for ever, and without a word. Whether to try again is then decided by Penstock.
 * - A broker that is given up again and again leaves no listeners, of which Node would warn.
 * - A login that fails ends the connection. The original leaves it open, and a client that never came to be is
 *   never closed: the socket then keeps the process from ending.
 * - A request that is not answered ends the connection, as in the Java client: kafkajs then looks for another broker,
 *   or for another leader. The original asks the same one for ever. A broker that takes the connection and says
 *   nothing at all, as one that hangs, is found out within the connection timeout.
 * - A login is renewed (KIP-368) only when every request that was begun under the old one is on the wire. The broker
 *   takes nothing else in between, and the original lets a request slip in whose bytes were not ready yet. And it is
 *   renewed at most every two seconds, also when a token close to its end was all there was.
 * - What the socket brings is put together in one pass (response-reader.ts), so a piece may lie in memory that the
 *   next one overwrites. A Produce request's memory is given back when it has been answered: left to the garbage
 *   collector, requests of megabytes make it run many times a second (docs/internals/measurements.md).
 */
export function patchConnection(Original: new (...args: never[]) => Connection): unknown {
  return class PatchedConnection extends Original {
    override async connect(): Promise<boolean> {
      if (!this.isConnected()) this.#responses = new ResponseReader();
      try {
        return await super.connect();
      } catch (error) {
        throw decisive(error as Error);
      }
    }

    override async disconnect(): Promise<boolean> {
      // As many as disconnect at once have a listener each for a moment: no leak, so no warning.
      this.socket?.setMaxListeners(0);
      const result = await super.disconnect();
      // A socket that has no handle any more would wait for a connection with each `unref`, a listener a call.
      this.socket?.off('connect', this.socket.unref);
      return result;
    }

    /** The broker left the last requests unanswered (broker-pool.ts). */
    silent = false;
    /** Requests that were begun under the present login and are not written yet. */
    #unwritten = 0;
    #responses = new ResponseReader();

    override async send(protocol: Protocol): Promise<unknown> {
      if (protocol.request.apiKey !== PRODUCE) return this.#send(protocol);
      let written: { readonly whole?: Buffer } = {};
      const encode = async () => (written = (await protocol.request.encode()) as typeof written);
      const request = Object.assign(Object.create(protocol.request), { encode });
      const answer = await this.#send({ ...protocol, request });
      // With bytes still on their way out the memory would be read after it is gone: a broker does not answer so early.
      if (written.whole !== undefined && this.socket?.writableLength === 0) giveBack(written.whole);
      return answer;
    }

    async #send(protocol: Protocol): Promise<unknown> {
      const { request } = protocol;
      if (!this.sasl || LOGIN_REQUESTS.has(request.apiKey)) return this.#sendOrHangUp(protocol);
      if (!this.isAuthenticated()) await this.authenticate();
      this.#unwritten += 1;
      let waiting = true;
      const written = () => {
        if (waiting) this.#unwritten -= 1;
        waiting = false;
      };
      const encode = async () => {
        const bytes = await request.encode();
        // kafkajs writes within the turn of the event loop in which it has the bytes.
        setImmediate(written);
        return bytes;
      };
      try {
        const watched = Object.assign(Object.create(request), { encode });
        return await this.#sendOrHangUp({ ...protocol, request: watched });
      } finally {
        written();
      }
    }

    /** A silent broker gets no second request on this connection: it would only wait behind the first one. */
    async #sendOrHangUp(protocol: Protocol): Promise<unknown> {
      const isFirst = LOGIN_REQUESTS.has(protocol.request.apiKey);
      const timeout = isFirst ? { requestTimeout: this.connectionTimeout } : {};
      try {
        return await super.send({ ...protocol, ...timeout });
      } catch (error) {
        if (!isTimeout(error) && !(isFirst && isUnanswered(error))) throw error;
        const silent = new SilentBrokerError(error);
        this.silent = true;
        // What comes later on a socket that is left open would be taken for the next one's.
        this.socket?.destroy();
        this.rejectRequests(silent);
        await this.disconnect();
        throw silent;
      }
    }

    override processData(piece: Buffer): void {
      this.silent = false;
      if (this.authHandlers !== null && !this.authExpectResponse) {
        this.authHandlers.onSuccess(Buffer.from(piece));
        return;
      }
      try {
        this.#responses.push(piece, (response) => {
          if (this.authHandlers === null) this.requestQueue.fulfillRequest(response);
          else this.authHandlers.onSuccess(framed(response));
        });
      } catch (error) {
        this.socket?.destroy(error as Error);
      }
    }

    override isAuthenticated(): boolean {
      return super.isAuthenticated() || isFresh(this.authenticatedAt);
    }

    override async authenticate(): Promise<void> {
      while (this.#unwritten > 0) await nextTurn();
      try {
        await super.authenticate();
      } catch (error) {
        await this.disconnect();
        throw isUnanswered(error) ? new SilentBrokerError(error) : error;
      }
    }

    /** In TLS 1.3 a refused client certificate shows only after the connection is made. */
    override rejectRequests(error: Error): void {
      super.rejectRequests(decisive(error));
    }
  };
}

/** The answer as it came, with its size and correlation id. */
function framed({ size, correlationId, payload }: BrokerResponse): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(size, 0);
  head.writeInt32BE(correlationId, 4);
  return Buffer.concat([head, payload]);
}

function isFresh(login: Connection['authenticatedAt']): boolean {
  if (login === null) return false;
  const [seconds, nanos] = process.hrtime(login);
  return seconds * 1000 + nanos / 1e6 < FRESH_LOGIN_MS;
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'KafkaJSRequestTimeoutError';
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function decisive(error: Error): Error {
  return certificateFault(error) === undefined ? error : Object.assign(error, { retriable: false });
}
