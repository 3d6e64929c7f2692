/** A reverse proxy that terminates TLS in front of a server, with client certificates and a login. */
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { freePort } from '../../lab/ports.ts';
import type { KeyPair } from './certificates.ts';

export interface TlsGateOptions {
  /** URL of the server behind it. */
  readonly target: string;
  readonly certificate: KeyPair;
  /** PEM file of the authority that signs its clients' certificates. */
  readonly clientCa: string;
  /** Credentials behind the scheme in `authorization`. */
  readonly token: string;
  /** Default: Bearer. */
  readonly scheme?: 'Bearer' | 'Basic';
}

export class TlsGate {
  readonly url: string;
  /** The token accepted from now on. */
  token: string;
  accepted = 0;
  refused = 0;
  readonly #scheme: string;
  readonly #target: string;
  readonly #server: Server;

  private constructor(
    { target, certificate, clientCa, token, scheme = 'Bearer' }: TlsGateOptions,
    port: number,
  ) {
    this.url = `https://127.0.0.1:${port}`;
    this.token = token;
    this.#scheme = scheme;
    this.#target = target;
    const { cert, key } = certificate;
    const pem = { cert: readFileSync(cert), key: readFileSync(key), ca: readFileSync(clientCa) };
    const strict = { requestCert: true, rejectUnauthorized: true };
    this.#server = createServer({ ...pem, ...strict }, (incoming, outgoing) =>
      this.#pass(incoming, outgoing),
    );
  }

  static async start(options: TlsGateOptions): Promise<TlsGate> {
    const port = await freePort();
    const gate = new TlsGate(options, port);
    await new Promise<void>((resolve) => gate.#server.listen(port, '127.0.0.1', () => resolve()));
    return gate;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { authorization, ...headers } = incoming.headers;
    if (authorization !== `${this.#scheme} ${this.token}`) {
      this.refused += 1;
      incoming.resume();
      // Like a debug page: it echoes the header.
      outgoing.writeHead(401).end(`not let in: authorization: ${authorization}`);
      return;
    }
    this.accepted += 1;
    const onward = request(`${this.#target}${incoming.url}`, { method: incoming.method ?? 'GET', headers });
    onward.on('response', (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
    onward.on('error', () => outgoing.writeHead(502).end());
    incoming.pipe(onward);
  }
}
