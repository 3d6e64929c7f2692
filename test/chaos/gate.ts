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
import { sleep } from '../../src/io/time/sleep.ts';

/** What the gate does with a request before the vmagent sees it. */
export type GateMode =
  | { readonly kind: 'open' }
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'slow'; readonly delayMs: number }
  | { readonly kind: 'cut' };

/** One 2xx of the vmagent. */
export interface Acceptance {
  /** Milliseconds since the epoch at which the request had come. */
  readonly fromMs: number;
  /** Milliseconds since the epoch at which the vmagent answered. */
  readonly atMs: number;
  /** Whether the drain still listened when the answer was passed on. */
  readonly answered: boolean;
}

/**
 * A reverse proxy in front of a real server: a vmagent, or storage. It causes trouble on command, and keeps the account of
 * what the server has accepted: also of requests that the client had given up by then, which go on as they would
 * without a proxy.
 */
export class Gate {
  /** By `bodyId`. */
  readonly accepted = new Map<string, Acceptance[]>();
  mode: GateMode = { kind: 'open' };
  /** Requests and connections that met with trouble here: refused, held up or cut. */
  troubled = 0;
  readonly #target: URL;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** When each request that has no answer yet began to come, in order. */
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

  /** Milliseconds since the epoch at which the oldest request that has no answer began to come, if there is one. */
  get unansweredSinceMs(): number | undefined {
    return this.#unanswered.values().next().value;
  }

  /** Nobody can connect, and who was connected is not any more. */
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
      // A connection that was cut a moment ago has not told the answer yet.
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

/** What a body is recognised by. No two of a run are equal: their timestamps differ. */
export function bodyId(body: Buffer): string {
  return createHash('md5').update(body).digest('base64url');
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
