import type { Socket } from 'node:net';
import { errorMessage } from '../../../core/model/errors.ts';
import { giveBack } from '../../../core/wire/memory.ts';
import { certificateFault } from '../../credentials/certificate-fault.ts';
import { isUnanswered } from '../errors.ts';
import { type BrokerResponse, ResponseReader } from './response-reader.ts';

interface Protocol {
  readonly request: { readonly apiKey: number; encode(): unknown };
  /** Timeout in ms, if other than the connection's `requestTimeout`. */
  readonly requestTimeout?: number;
}

/** Receives answers while a login is under way, in place of the request queue. */
interface LoginHandlers {
  onSuccess(answer: Buffer): void;
}

interface Connection {
  readonly sasl: unknown;
  /** In ms. */
  readonly connectionTimeout: number;
  /** Time of the last login, by `process.hrtime`. */
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

/** API keys of requests sent before or for a login: ApiVersions, SaslHandshake, SaslAuthenticate. */
export const LOGIN_REQUESTS: ReadonlySet<number> = new Set([18, 17, 36]);
/** A login this fresh is not renewed, however short its session: the broker takes no two within a second. */
const FRESH_LOGIN_MS = 2_000;
const PRODUCE = 0;

/** A broker has not answered. Only for an error of this name does kafkajs try the next one. */
export class SilentBrokerError extends Error {
  override readonly name = 'KafkaJSConnectionError';
  /** Has kafkajs try again. */
  readonly retriable = true;

  constructor(cause: unknown) {
    super(errorMessage(cause), { cause });
  }
}

/**
 * kafkajs' connection with these changes.
 *
 * - Certificate failures are not retried by kafkajs; Penstock decides. The original retries them like a broker that is
 *   down: with patient retries for ever, and without a log line.
 * - Repeated disconnects leave no socket listeners behind, of which Node would warn.
 * - A failed login closes the connection. The original leaves it open, and since such a client never connects it is
 *   never closed: the socket keeps the process from ending.
 * - An unanswered request closes the connection, as in the Java client: kafkajs then looks for another broker or
 *   leader. The original asks the same one for ever. A broker that accepts the connection and says nothing, as one that
 *   hangs, is noticed within the connection timeout.
 * - A login is renewed (KIP-368) only when every request begun under the old one is on the wire. The broker accepts
 *   nothing else in between, and the original lets a request slip in that was still being encoded. It is renewed at
 *   most every two seconds, even when the token is close to its end.
 * - Responses are assembled in one pass (response-reader.ts), so a piece may lie in memory that the next one
 *   overwrites. A Produce request's memory is given back once it is answered: left to the garbage collector, requests
 *   of megabytes make it run many times a second (docs/internals/measurements.md).
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
      // Concurrent disconnects each add a listener for a moment: no leak, so no warning.
      this.socket?.setMaxListeners(0);
      const result = await super.disconnect();
      // On a socket without a handle each `unref` adds a listener that waits for a connection.
      this.socket?.off('connect', this.socket.unref);
      return result;
    }

    /** True after an unanswered request, until the broker sends something (broker-pool.ts). */
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
      // Never give back memory that is still being written, should a broker answer early.
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

    /** Closes the connection when a request is not answered: the next one would only queue behind it. */
    async #sendOrHangUp(protocol: Protocol): Promise<unknown> {
      const isFirst = LOGIN_REQUESTS.has(protocol.request.apiKey);
      const timeout = isFirst ? { requestTimeout: this.connectionTimeout } : {};
      try {
        return await super.send({ ...protocol, ...timeout });
      } catch (error) {
        if (!isTimeout(error) && !(isFirst && isUnanswered(error))) throw error;
        const silent = new SilentBrokerError(error);
        this.silent = true;
        // A late answer on a socket left open would be taken for one of the next connection.
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

type ConnectionClass = new (options: unknown) => Connection;

interface ConnectionPool {
  readonly pool: Connection[];
  getConnectionByRequest(protocol: { readonly request: { readonly apiKey: number } }): Promise<Connection>;
  getConnection(index?: number): Promise<Connection>;
}

/** API keys of JoinGroup and SyncGroup, which the broker answers when the whole group has joined. */
const REBALANCE_REQUESTS = new Set([11, 14]);
/** kafkajs has 0 for most requests and 1 for Fetch. */
const REBALANCE_CONNECTION = 2;

/**
 * kafkajs' connections to one broker, plus one for rebalances, opened at the first.
 *
 * A broker reads the next request of a connection only after it has answered the previous one. In kafkajs a JoinGroup,
 * which waits for all members, therefore blocks the heartbeats and commits of the partitions that stay.
 */
export function patchConnectionPool(
  Original: new (options: unknown) => ConnectionPool,
  Connection: ConnectionClass,
): unknown {
  return class PatchedConnectionPool extends Original {
    constructor(options: unknown) {
      super(options);
      this.pool[REBALANCE_CONNECTION] = new Connection(options);
    }

    override getConnectionByRequest(
      protocol: Parameters<ConnectionPool['getConnectionByRequest']>[0],
    ): Promise<Connection> {
      if (!REBALANCE_REQUESTS.has(protocol.request.apiKey)) return super.getConnectionByRequest(protocol);
      return this.getConnection(REBALANCE_CONNECTION);
    }
  };
}
