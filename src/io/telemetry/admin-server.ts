import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Registry } from 'prom-client';
import { ConfigError, errorMessage } from '../../core/model/errors.ts';
import { printableJson, printableLines } from '../../core/model/printable.ts';
import { type Denial, mayNotReload, wrongHost } from './admin-access.ts';
import { RateLimit } from './rate-limit.ts';

/** State of a process; the reason is one line that an operator can act on. */
export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: string };

/** Outcome of a reload: the changed keys, or the errors. */
export interface ReloadAnswer {
  readonly applied: boolean;
  readonly text: string;
}

export interface AdminServerOptions {
  /** Listen address. An empty host: every interface; port 0: any free port. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Prometheus' text format. */
  readonly metrics: () => Promise<string>;
  /** Liveness, for /-/healthy. */
  readonly health: () => Readiness;
  readonly readiness: () => Readiness;
  /** Status for `penstock status`, as JSON. */
  readonly status: () => Promise<object>;
  /** Loads the configuration again, one at a time. Absent: not offered. */
  readonly reload?: () => Promise<ReloadAnswer>;
  /** Token now required for a reload; undefined: reloads must come from this machine. */
  readonly reloadToken?: () => string | undefined;
}

interface Answer extends Denial {
  readonly type?: string;
}

/** Limits on what a client can make this process hold: legitimate requests are small and fast. */
const HEADER_BYTES = 8 * 1024;
const BODY_BYTES = 64 * 1024;
const CONNECTIONS = 128;
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 10_000;
const TIMEOUT_CHECK_MS = 1_000;
/** Idle time after which a connection is closed, also during an answer. Scrapes wait up to 2 s for processes. */
const IDLE_MS = 30_000;

const RELOADS_AT_ONCE = 5;
const RELOAD_EVERY_MS = 2_000;
const NOT_TO_BE_KEPT = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/** /metrics, /-/healthy, /-/ready, /-/reload and /api/status of one process. */
export class AdminServer {
  readonly #options: AdminServerOptions;
  readonly #server: Server;
  readonly #reloads = new RateLimit(RELOADS_AT_ONCE, RELOAD_EVERY_MS);

  constructor(options: AdminServerOptions) {
    this.#options = options;
    const limits = {
      maxHeaderSize: HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    };
    this.#server = createServer(limits, (request, response) => void this.#serve(request, response));
    this.#server.maxConnections = CONNECTIONS;
    this.#server.setTimeout(IDLE_MS);
  }

  /** Starts to listen. Resolves to the address in use, `host:port`. @throws ConfigError when it cannot. */
  async start(): Promise<string> {
    const { host, port } = this.#options.listen;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) =>
        reject(new ConfigError(`admin.listen: cannot listen on ${host}:${port}: ${error.message}`)),
      );
      this.#server.listen({ port, ...(host === '' ? {} : { host }) }, resolve);
    });
    const address = this.#server.address();
    return `${host}:${typeof address === 'object' && address !== null ? address.port : port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer =
      refusedBody(request) ??
      (await this.#answer(request).catch(
        (error): Answer => ({ code: 500, body: `${errorMessage(error)}\n` }),
      ));
    response.writeHead(answer.code, {
      'content-type': answer.type ?? 'text/plain; charset=utf-8',
      ...NOT_TO_BE_KEPT,
      ...answer.headers,
      ...(hasBody(request) ? { connection: 'close' } : {}),
    });
    response.end(answer.body);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const pathname = URL.parse(request.url ?? '/', 'http://admin')?.pathname;
    if (pathname === undefined) return { code: 400, body: 'The path cannot be read.\n' };
    const { listen, metrics, health, readiness, status } = this.#options;
    const denial = wrongHost(request, listen.host);
    if (denial !== undefined) return denial;
    if (pathname === '/-/reload') return await this.#reload(request);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return { code: 405, body: 'Only GET is answered here.\n' };
    switch (pathname) {
      case '/metrics':
        return { code: 200, type: Registry.PROMETHEUS_CONTENT_TYPE, body: await metrics() };
      case '/-/healthy':
        return answerFor(health(), 'Penstock is alive.');
      case '/-/ready':
        return answerFor(readiness(), 'Penstock is ready.');
      case '/api/status':
        return { code: 200, type: 'application/json', body: `${printableJson(await status())}\n` };
      default:
        return {
          code: 404,
          body: 'Here are /metrics, /-/healthy, /-/ready, /-/reload (POST) and /api/status.\n',
        };
    }
  }

  /** Handles /-/reload. Unauthorized requests do not count against the rate limit. */
  async #reload(request: IncomingMessage): Promise<Answer> {
    const { reload, reloadToken } = this.#options;
    if (request.method !== 'POST')
      return { code: 405, body: 'Reload with POST.\n', headers: { allow: 'POST' } };
    if (reload === undefined) return { code: 404, body: 'This command has nothing to reload.\n' };
    const denial = mayNotReload(request, reloadToken?.());
    if (denial !== undefined) return denial;
    const waitMs = this.#reloads.take();
    if (waitMs > 0) {
      const headers = { 'retry-after': String(Math.ceil(waitMs / 1000)) };
      return { code: 429, headers, body: 'There were many reloads just now; try again later.\n' };
    }
    const { applied, text } = await reload();
    return { code: applied ? 200 : 400, body: `${printableLines(text)}\n` };
  }
}

/** No endpoint takes a body: a small one is read and discarded, a larger one refused or its connection closed. */
function refusedBody(request: IncomingMessage): Answer | undefined {
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > BODY_BYTES) request.destroy();
  });
  if (Number(request.headers['content-length'] ?? 0) <= BODY_BYTES) return undefined;
  return { code: 413, body: 'Requests here have no body.\n' };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function answerFor(state: Readiness, good: string): Answer {
  return state.ready ? { code: 200, body: `${good}\n` } : { code: 503, body: `${state.reason}\n` };
}
