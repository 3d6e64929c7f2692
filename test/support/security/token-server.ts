/**
 * A token endpoint (OAuth 2, client credentials) that signs real tokens, and the keys that a broker checks them with.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { freePorts } from '../../lab/ports.ts';
import type { KeyPair } from './certificates.ts';

const KEY_ID = 'penstock-test';

export interface TokenServerOptions {
  readonly clientId: string;
  readonly clientSecret: string;
  /** Life of a token. */
  readonly lifeSeconds: number;
  /** Certificate of the token endpoint; the keys are served without TLS. */
  readonly certificate: KeyPair;
}

/** Serves https://…/token and http://…/keys, each on a port of its own. */
export class TokenServer {
  /** Tokens handed out. */
  readonly tokens: string[] = [];
  /** Requests for a token, refused ones too. */
  requests = 0;
  /** The endpoint answers 503. */
  down = false;
  /** Tokens are signed by a key that the brokers do not know. */
  forged = false;
  readonly #options: TokenServerOptions;
  readonly #ports: readonly [token: number, keys: number];
  readonly #keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  readonly #otherKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  readonly #servers: { close(): unknown; closeAllConnections(): void }[] = [];

  private constructor(options: TokenServerOptions, ports: [number, number]) {
    this.#options = options;
    this.#ports = ports;
  }

  static async start(options: TokenServerOptions): Promise<TokenServer> {
    const [token, keys] = await freePorts(2);
    const server = new TokenServer(options, [token!, keys!]);
    await server.#listen();
    return server;
  }

  get tokenUrl(): string {
    return `https://127.0.0.1:${this.#ports[0]}/token`;
  }

  get keysUrl(): string {
    return `http://127.0.0.1:${this.#ports[1]}/keys`;
  }

  close(): void {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  async #listen(): Promise<void> {
    const { certificate } = this.#options;
    const pair = { cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) };
    const tokens = createTlsServer(pair, (request, response) => void this.#token(request, response));
    const keys = createServer((_, response) => json(response, 200, { keys: [this.#publicKey()] }));
    this.#servers.push(tokens, keys);
    await Promise.all(
      [tokens, keys].map(
        (server, at) =>
          new Promise<void>((resolve) => server.listen(this.#ports[at], '127.0.0.1', () => resolve())),
      ),
    );
  }

  async #token(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1;
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const { clientId, clientSecret, lifeSeconds } = this.#options;
    if (this.down) return json(response, 503, { error: 'temporarily_unavailable' });
    const [id, secret] = Buffer.from(request.headers.authorization?.slice('Basic '.length) ?? '', 'base64')
      .toString()
      .split(':')
      .map(decodeURIComponent);
    if (id !== clientId || secret !== clientSecret) {
      // Some endpoints echo the credentials.
      return json(response, 401, { error: 'invalid_client', error_description: `${id} ${secret}` });
    }
    if (new URLSearchParams(body).get('grant_type') !== 'client_credentials')
      return json(response, 400, { error: 'unsupported_grant_type' });
    const token = this.#sign(clientId, lifeSeconds);
    this.tokens.push(token);
    json(response, 200, { access_token: token, token_type: 'Bearer', expires_in: lifeSeconds });
  }

  #sign(subject: string, lifeSeconds: number): string {
    const now = Math.floor(Date.now() / 1000);
    const header = { alg: 'RS256', typ: 'JWT', kid: KEY_ID };
    const claims = { sub: subject, iat: now, exp: now + lifeSeconds, jti: String(this.tokens.length) };
    const text = [header, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const key: KeyObject = this.forged ? this.#otherKey : this.#keys.privateKey;
    return `${text}.${sign('RSA-SHA256', Buffer.from(text), key).toString('base64url')}`;
  }

  #publicKey() {
    const jwk = createPublicKey(this.#keys.publicKey.export({ type: 'spki', format: 'pem' })).export({
      format: 'jwk',
    });
    return { ...jwk, kid: KEY_ID, alg: 'RS256', use: 'sig' };
  }
}

function json(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
