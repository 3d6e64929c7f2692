import { certificateFault } from '../../credentials/certificate-fault.ts';

interface Protocol {
  readonly request: { readonly apiKey: number; encode(): unknown };
}

interface Connection {
  readonly sasl: unknown;
  /** Of the last login, as `process.hrtime` gives it. */
  readonly authenticatedAt: [seconds: number, nanos: number] | null;
  isAuthenticated(): boolean;
  send(protocol: Protocol): Promise<unknown>;
  connect(): Promise<boolean>;
  authenticate(): Promise<void>;
  disconnect(): Promise<boolean>;
  rejectRequests(error: Error): void;
}

/** ApiVersions, SaslHandshake, SaslAuthenticate: what is sent without a login, or to make one. */
const LOGIN_REQUESTS = new Set([18, 17, 36]);
/** A login this fresh is not renewed, however short its session: the broker takes no two within a second. */
const FRESH_LOGIN_MS = 2_000;

/**
 * kafkajs' connection with these changes.
 *
 * - Its failures over a certificate are final. The original tries each as often as a broker that is away: with
 *   patient retries for ever, and without a word. Whether to try again is then decided by Penstock.
 * - A login that fails ends the connection. The original leaves it open, and a client that never came to be is
 *   never closed: the socket then keeps the process from ending.
 * - A login is renewed (KIP-368) only when every request that was begun under the old one is on the wire. The broker
 *   takes nothing else in between, and the original lets a request slip in whose bytes were not ready yet. And it is
 *   renewed at most every two seconds, also when a token close to its end was all there was.
 */
export function decisiveConnection(Original: new (...args: never[]) => Connection): unknown {
  return class DecisiveConnection extends Original {
    override async connect(): Promise<boolean> {
      try {
        return await super.connect();
      } catch (error) {
        throw decisive(error as Error);
      }
    }

    /** Requests that were begun under the present login and are not written yet. */
    #unwritten = 0;

    override async send(protocol: Protocol): Promise<unknown> {
      const { request } = protocol;
      if (!this.sasl || LOGIN_REQUESTS.has(request.apiKey)) return super.send(protocol);
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
        return await super.send({ ...protocol, request: Object.assign(Object.create(request), { encode }) });
      } finally {
        written();
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
        throw error;
      }
    }

    /** In TLS 1.3 a refused client certificate shows only after the connection is made. */
    override rejectRequests(error: Error): void {
      super.rejectRequests(decisive(error));
    }
  };
}

function isFresh(login: Connection['authenticatedAt']): boolean {
  if (login === null) return false;
  const [seconds, nanos] = process.hrtime(login);
  return seconds * 1000 + nanos / 1e6 < FRESH_LOGIN_MS;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function decisive(error: Error): Error {
  return certificateFault(error) === undefined ? error : Object.assign(error, { retriable: false });
}
