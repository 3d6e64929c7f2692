import { createHash } from 'node:crypto';
import {
  Agent,
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Treatment of a request before the vmagent gets it. */
export type GateMode =
  | { readonly kind: 'open' }
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'slow'; readonly delayMs: number }
  | { readonly kind: 'cut' };

/** One 2xx of the vmagent. */
export interface Acceptance {
  /** Milliseconds since the epoch at which the request arrived. */
  readonly fromMs: number;
  /** Milliseconds since the epoch at which the vmagent answered. */
  readonly atMs: number;
  /** Whether the drain was still connected when the answer was passed on. */
  readonly answered: boolean;
}

/**
 * A reverse proxy in front of a real server: a vmagent, or storage. It injects faults on command, and records what the
 * server has accepted, also of requests that the client has given up: they go on as they would without a proxy.
 */
export class Gate {
  /** By `bodyId`. */
  readonly accepted = new Map<string, Acceptance[]>();
  mode: GateMode = { kind: 'open' };
  /** Number of requests and connections refused, held up or cut here. */
  troubled = 0;
  readonly #target: URL;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Arrival of each request without an answer yet, in order. */
  readonly #unanswered = new Map<IncomingMessage, number>();

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((incoming, answer) => {
      this.#unanswered.set(incoming, Date.now());
      this.#forward(incoming, answer)
        .catch(() => answer.destroy())
        .finally(() => this.#unanswered.delete(incoming));
    });
    this.#server.keepAliveTimeout = 120_000;
    this.#server.on('connection', (socket) => {
      if (this.mode.kind === 'cut') {
        this.troubled += 1;
        socket.destroy();
      }
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => undefined);
    });
  }

  static async open(target: string): Promise<Gate> {
    const gate = new Gate(target);
    await new Promise<void>((resolve) => gate.#server.listen(0, '127.0.0.1', resolve));
    return gate;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the gate does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  /** Arrival of the oldest request without an answer, in milliseconds since the epoch, if there is one. */
  get unansweredSinceMs(): number | undefined {
    return this.#unanswered.values().next().value;
  }

  /** Closes all connections, and refuses new ones. */
  cut(): void {
    this.mode = { kind: 'cut' };
    this.troubled += this.#sockets.size;
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.#agent.destroy();
    this.#server.close();
  }

  async #forward(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const body = await readBody(incoming);
    const fromMs = Date.now();
    const { mode } = this;
    if (mode.kind === 'slow' || mode.kind === 'status') this.troubled += 1;
    if (mode.kind === 'slow') await sleep(mode.delayMs);
    if (mode.kind === 'status') {
      answer.writeHead(mode.status).end('the gate was told to refuse');
      return;
    }
    let status: number;
    try {
      status = await this.#send(incoming, body);
    } catch (error) {
      answer.writeHead(502).end(String(error));
      return;
    }
    if (status >= 200 && status < 300) {
      const id = bodyId(body);
      const list = this.accepted.get(id) ?? [];
      // A connection that was just cut: the answer does not know yet, its socket does.
      const answered = !answer.destroyed && answer.socket?.destroyed === false;
      list.push({ fromMs, atMs: Date.now(), answered });
      this.accepted.set(id, list);
    }
    answer.writeHead(status).end();
  }

  #send({ url, headers, method }: IncomingMessage, body: Buffer): Promise<number> {
    const { hostname, port } = this.#target;
    const { host: _, connection: __, ...kept } = headers;
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { hostname, port, path: url, method, headers: kept, agent: this.#agent },
        (response) => {
          response.resume();
          response.on('end', () => resolve(response.statusCode ?? 0));
          response.on('error', reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}

/** Key of a body. No two bodies of a run are equal: their timestamps differ. */
export function bodyId(body: Buffer): string {
  return createHash('md5').update(body).digest('base64url');
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
