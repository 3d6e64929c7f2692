import { setTimeout as sleep } from 'node:timers/promises';
import type { TestKafka } from '../../support/kafka-data.ts';

const PAUSE_MS = 60;

/** Writes a few numbers to every partition of a topic, again and again. While brokers die it may leave out or repeat some. */
export class Source {
  readonly #kafka: TestKafka;
  readonly #topic: string;
  readonly #partitions: number;
  #stopped = false;
  #loop: Promise<void> | undefined;

  constructor(kafka: TestKafka, topic: string, partitions: number) {
    this.#kafka = kafka;
    this.#topic = topic;
    this.#partitions = partitions;
  }

  start(): this {
    this.#loop = this.#run();
    return this;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loop;
  }

  async #run(): Promise<void> {
    for (let number = 0; !this.#stopped; number += 1) {
      const records = Array.from({ length: this.#partitions }, (_, partition) => ({
        topic: this.#topic,
        partition,
        key: null,
        value: Buffer.from(String(number)),
        headers: {},
        timestamp: Date.now(),
      }));
      await this.#kafka.producer.send(records).catch(() => undefined);
      await sleep(PAUSE_MS);
    }
  }
}
