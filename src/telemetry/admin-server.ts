import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Registry } from 'prom-client';
import { ConfigError, errorMessage } from '../model/errors.ts';

/** Whether a process works, and if not, why: one line that an operator can act on. */
export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: string };

export interface AdminServerOptions {
  /** Where to listen. An empty host is every interface, port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Prometheus' text format. */
  readonly metrics: () => Promise<string>;
  /** Whether all of it answers. */
  readonly health: () => Readiness;
  readonly readiness: () => Readiness;
  /** What `penstock status` asks a process for, as JSON. */
  readonly status: () => Promise<object>;
  /** Loads the configuration anew; answers with what was wrong with it, or undefined. Absent: not offered. */
  readonly reload?: () => Promise<string | undefined>;
}

interface Answer {
  readonly code: number;
  readonly type?: string;
  readonly body: string;
}

/** /metrics, /-/healthy, /-/ready, /-/reload and /api/status of one process. */
export class AdminServer {
  readonly #options: AdminServerOptions;
  readonly #server: Server;

  constructor(options: AdminServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => void this.#serve(request, response));
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
    const answer = await this.#answer(request).catch(
      (error): Answer => ({ code: 500, body: `${errorMessage(error)}\n` }),
    );
    response.writeHead(answer.code, { 'content-type': answer.type ?? 'text/plain; charset=utf-8' });
    response.end(answer.body);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const { pathname } = new URL(request.url ?? '/', 'http://admin');
    const { metrics, health, readiness, status, reload } = this.#options;
    if (pathname === '/-/reload') {
      if (request.method !== 'POST') return { code: 405, body: 'Reload with POST.\n' };
      if (reload === undefined) return { code: 404, body: 'This command has nothing to reload.\n' };
      const fault = await reload();
      return fault === undefined ? { code: 200, body: 'Reloaded.\n' } : { code: 400, body: `${fault}\n` };
    }
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
        return { code: 200, type: 'application/json', body: `${JSON.stringify(await status())}\n` };
      default:
        return {
          code: 404,
          body: 'Here are /metrics, /-/healthy, /-/ready, /-/reload (POST) and /api/status.\n',
        };
    }
  }
}

function answerFor(state: Readiness, good: string): Answer {
  return state.ready ? { code: 200, body: `${good}\n` } : { code: 503, body: `${state.reason}\n` };
}
