/** A stand-in for a vmagent: takes numbered records, slowly if told, and keeps account of every one. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { compress, uncompress } from '../../../src/core/wire/snappy.ts';
import { WriteRequestBuilder } from '../../../src/core/wire/write-request-builder.ts';

const MAX_BODY = 1 << 20;
const NUMBER = /task (\d+) number (\d+)/;

/** The body of a task record that a `NodeReceiver` can tell from all others. */
export function numberedBody(task: number, number: number): Buffer {
  const builder = new WriteRequestBuilder();
  builder.beginSeries();
  builder.label('__name__', 'numbered');
  builder.label('record', `task ${task} number ${number}`);
  builder.sample(number, 1_760_000_000_000 + number);
  builder.endSeries();
  return compress(builder.finish());
}

export class NodeReceiver {
  /** By task the numbers of the records that arrived, in order, also those never answered. */
  readonly taken = new Map<number, number[]>();
  /** By task the times at which they arrived, in ms of `performance.now()`. */
  readonly #arrivals = new Map<number, number[]>();
  /** Required bearer token; undefined: none. */
  token: string | undefined;
  /** Requests without series. */
  empty = 0;
  /** Answers 503 to everything, and takes nothing. */
  refusing = false;
  /** Number of those 503. */
  refused = 0;
  /** Delay of answers, in ms. Infinite: no answer. */
  delayMs: number;
  /** Tasks whose records are answered only when this resolves. */
  hold: { tasks: readonly number[]; until: Promise<void> } = { tasks: [], until: Promise.resolve() };
  /** Tasks with a record that waits for `hold`. */
  readonly held = new Set<number>();
  /**
   * Until this resolves the node hangs: it answers nothing. It takes pending requests when it goes on, also from
   * clients that have given up meanwhile.
   */
  awake: Promise<void> = Promise.resolve();
  readonly #server: Server;

  private constructor(delayMs: number) {
    this.delayMs = delayMs;
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      await this.awake;
      if (this.refusing) {
        this.refused += 1;
        response.writeHead(503).end();
        return;
      }
      if (this.token !== undefined && request.headers.authorization !== `Bearer ${this.token}`) {
        response.writeHead(401).end();
        return;
      }
      const task = this.#take(Buffer.concat(chunks));
      if (task !== undefined && this.delayMs === Number.POSITIVE_INFINITY) return;
      if (task !== undefined) await sleep(this.delayMs);
      if (task !== undefined && this.hold.tasks.includes(task)) await this.#held(task);
      await this.awake;
      response.writeHead(204).end();
    });
  }

  static async open(delayMs: number): Promise<NodeReceiver> {
    const receiver = new NodeReceiver(delayMs);
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get count(): number {
    return [...this.taken.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** Numbers that came more than once, by task; tasks without any are left out. */
  repeats(): Map<number, number[]> {
    const repeats = new Map<number, number[]>();
    for (const [task, numbers] of this.taken) {
      const again = numbers.filter((number, index) => numbers.indexOf(number) < index);
      if (again.length > 0) repeats.set(task, again);
    }
    return repeats;
  }

  /** The longest time without a record of a task since `sinceMs` of `performance.now()`, up to now, in ms. */
  longestPause(task: number, sinceMs: number): number {
    const times = (this.#arrivals.get(task) ?? []).filter((time) => time > sinceMs);
    const ends = [...times, performance.now()];
    return Math.max(...ends.map((time, index) => time - (times[index - 1] ?? sinceMs)));
  }

  /** Closes every connection. */
  cut(): void {
    this.#server.closeAllConnections();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  async #held(task: number): Promise<void> {
    this.held.add(task);
    await this.hold.until;
    this.held.delete(task);
  }

  /** @returns the task; undefined for an empty request. */
  #take(body: Buffer): number | undefined {
    const [, task, number] = NUMBER.exec(uncompress(body, MAX_BODY).toString('latin1')) ?? [];
    if (task === undefined) {
      this.empty += 1;
      return undefined;
    }
    const numbers = this.taken.get(Number(task)) ?? [];
    numbers.push(Number(number));
    this.taken.set(Number(task), numbers);
    const times = this.#arrivals.get(Number(task)) ?? [];
    times.push(performance.now());
    this.#arrivals.set(Number(task), times);
    return Number(task);
  }
}
