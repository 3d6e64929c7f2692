import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server in the place of a vmagent. */
export abstract class HttpNode {
  readonly #server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const status = await this.answer(Buffer.concat(chunks), request);
    if (status !== undefined) response.writeHead(status).end();
  });

  /** Resolves once it listens on a port of its own. */
  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Closes every connection. */
  cut(): void {
    this.#server.closeAllConnections();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  /** The status of the answer; undefined: none is given. */
  protected abstract answer(body: Buffer, request: IncomingMessage): Promise<number | undefined>;
}

/** Accepts every request unread. */
export class AcceptingNode extends HttpNode {
  readonly #answerMs: number;

  /** @param answerMs how long an answer takes, in ms */
  constructor(answerMs = 0) {
    super();
    this.#answerMs = answerMs;
  }

  protected async answer(): Promise<number> {
    await sleep(this.#answerMs);
    return 204;
  }
}
