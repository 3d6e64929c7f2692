import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment } from '../deployment/deployment.ts';
import { numberedBody } from '../nodes/node-receiver.ts';

export interface TaskSourceOptions {
  readonly topic: string;
  readonly tasks: number;
  /** Pause between two records of a task, in ms. */
  readonly everyMs: number;
}

/** Writes records 0, 1, 2, … for a `NodeReceiver` to every task of a topic. It can be started again after a stop. */
export class TaskSource {
  readonly #penstock: Deployment;
  readonly #options: TaskSourceOptions;
  #next = 0;
  #end = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(penstock: Deployment, options: TaskSourceOptions) {
    this.#penstock = penstock;
    this.#options = options;
  }

  start(): this {
    this.#end = new AbortController();
    this.#loop = this.#run(this.#end.signal);
    return this;
  }

  /** @returns the count of records, from 0, of each task */
  async stop(): Promise<number> {
    this.#end.abort();
    await this.#loop;
    return this.#next;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { topic, tasks, everyMs } = this.#options;
    while (!signal.aborted) {
      const number = this.#next++;
      await this.#penstock.producer.send(
        Array.from({ length: tasks }, (_, task) => ({
          topic,
          partition: task,
          key: null,
          value: numberedBody(task, number),
          headers: { 'penstock-source': `in/0/${number}-${number}` },
          timestamp: Date.now(),
        })),
      );
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
