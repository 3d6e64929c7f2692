import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeRequest } from '../generator/write-request.ts';
import { readWriteRequest } from '../truth/prompb.ts';
import { HttpNode } from './http-node.ts';

const NUMBER = /^task (\d+) number (\d+)$/;

/** The body of a task record that a `NodeReceiver` can tell from all others. */
export function numberedBody(task: number, number: number): Buffer {
  const labels = [['__name__', 'numbered'] as const, ['record', `task ${task} number ${number}`] as const];
  return writeRequest([{ labels, samples: [[1_760_000_000_000 + number, number]] }]);
}

/** Takes numbered records, slowly if told, and keeps account of every one. */
export class NodeReceiver extends HttpNode {
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

  private constructor(delayMs: number) {
    super();
    this.delayMs = delayMs;
  }

  static open(delayMs: number): Promise<NodeReceiver> {
    return new NodeReceiver(delayMs).listen();
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

  protected async answer(body: Buffer, { headers }: IncomingMessage): Promise<number | undefined> {
    await this.awake;
    if (this.refusing) {
      this.refused += 1;
      return 503;
    }
    if (this.token !== undefined && headers.authorization !== `Bearer ${this.token}`) return 401;
    const task = this.#take(body);
    if (task !== undefined) {
      if (this.delayMs === Number.POSITIVE_INFINITY) return undefined;
      await sleep(this.delayMs);
      if (this.hold.tasks.includes(task)) await this.#held(task);
    }
    await this.awake;
    return 204;
  }

  async #held(task: number): Promise<void> {
    this.held.add(task);
    await this.hold.until;
    this.held.delete(task);
  }

  /** @returns the task; undefined for an empty request. */
  #take(body: Buffer): number | undefined {
    const record = readWriteRequest(body).series[0]?.labels.find(([name]) => name === 'record');
    const [, task, number] = NUMBER.exec(record?.[1] ?? '') ?? [];
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
