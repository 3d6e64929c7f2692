/** A stand-in for a vmagent that keeps every sample, and counts repeats. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { samplesOf } from '../truth/task-samples.ts';

export class RecordingReceiver {
  /** `series@time` ▸ value. */
  readonly samples = new Map<string, number>();
  /** Number of samples that came again. */
  repeated = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const found = samplesOf([{ value: Buffer.concat(chunks) }]);
      this.repeated += found.repeated;
      for (const [key, value] of found.samples) {
        if (this.samples.has(key)) this.repeated += 1;
        this.samples.set(key, value);
      }
      response.writeHead(204).end();
    });
  }

  static async open(): Promise<RecordingReceiver> {
    const receiver = new RecordingReceiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
