/** Topics for one test, numbered records in them, and readers of both isolation levels. */
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { KafkaAdmin } from '../../src/io/kafka/admin/admin.ts';
import { BRIEF, KafkaConnection } from '../../src/io/kafka/client/connection.ts';
import { kafkaOptions } from '../../src/io/kafka/client/options.ts';
import { PlainProducer } from '../../src/io/kafka/produce/plain-producer.ts';
import { uniqueName } from '../lab/names.ts';
import { poll } from '../lab/process.ts';

export const SILENT = pino({ level: 'silent' });
/** Bound of a source that its test forgets to stop. */
const MOST_NUMBERS = 100_000;
const END = 'end of the test';

export function connect(brokers: string[], log = SILENT, options: object = {}): KafkaConnection {
  return new KafkaConnection(kafkaOptions.parse({ brokers, request_timeout: '5s', ...options }), log);
}

/** A connection to a cluster with an admin client, closed together. */
export class TestKafka implements AsyncDisposable {
  readonly connection: KafkaConnection;
  readonly admin: KafkaAdmin;
  readonly producer: PlainProducer;

  constructor(brokers: string[]) {
    this.connection = connect(brokers);
    this.admin = new KafkaAdmin(this.connection);
    this.producer = new PlainProducer(this.connection);
  }

  async createTopic(
    prefix: string,
    partitions: number,
    options: { name?: string; config?: Record<string, string>; replicas?: number } = {},
  ): Promise<string> {
    const topic = options.name ?? uniqueName(prefix);
    // A client of its own: a topic that brokers do not know yet fails every other request of a client.
    const own = new KafkaAdmin(this.connection);
    const configEntries = Object.entries(options.config ?? {}).map(([name, value]) => ({ name, value }));
    await (await own.client()).createTopics({
      topics: [
        { topic, numPartitions: partitions, replicationFactor: options.replicas ?? -1, configEntries },
      ],
      waitForLeaders: false, // fails when a broker does not know the topic yet
    });
    await poll(
      async () => (await own.offsetBounds(topic).catch(() => new Map())).size === partitions,
      {},
      () => new Error(`topic ${topic} did not come up`),
    );
    await own.close();
    return topic;
  }

  /** Writes values to one partition, in order. */
  async produce(
    topic: string,
    partition: number,
    values: (string | Buffer)[],
    key: Buffer | null = null,
  ): Promise<void> {
    await this.producer.send(
      values.map((value) => ({
        topic,
        partition,
        key,
        value: Buffer.from(value),
        headers: {},
        timestamp: Date.now(),
      })),
    );
  }

  /** All values of a topic that a read_committed reader sees, by partition. Waits for transactions still open. */
  readAll(topic: string, partitions: number): Promise<string[][]> {
    return this.#read(topic, partitions, false);
  }

  /** All values of a topic, by partition, also those of aborted and open transactions. */
  readUncommitted(topic: string, partitions: number): Promise<string[][]> {
    return this.#read(topic, partitions, true);
  }

  async #read(topic: string, partitions: number, readUncommitted: boolean): Promise<string[][]> {
    for (let partition = 0; partition < partitions; partition++) await this.produce(topic, partition, [END]);
    const groupId = uniqueName('read-all');
    const consumer = this.connection
      .instance(BRIEF)
      .consumer({ groupId, maxWaitTimeInMs: 100, readUncommitted });
    const values: string[][] = Array.from({ length: partitions }, () => []);
    const ended = new Set<number>();
    const done = Promise.withResolvers<void>();
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ partition, message }) => {
        if (String(message.value) !== END) values[partition]!.push(String(message.value));
        else if (ended.add(partition).size === partitions) done.resolve();
      },
    });
    const late = new AbortController();
    await Promise.race([
      done.promise,
      sleep(60_000, undefined, { signal: late.signal }).then(() => {
        throw new Error(`${topic}: the end was reached in ${ended.size} of ${partitions} partitions`);
      }),
    ]);
    late.abort();
    await consumer.disconnect();
    return values;
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.producer.close(), this.admin.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Numbers that a partition gets at once, and the pause after them, in ms. */
interface RateLimit {
  readonly atOnce: number;
  readonly pauseMs: number;
}

const USUAL_PACE: RateLimit = { atOnce: 10, pauseMs: 25 };

/**
 * Writes 0, 1, 2, … to every partition of a topic until it is stopped. When brokers die it goes on, and may leave out
 * or repeat numbers.
 */
export class NumberSource {
  readonly #kafka: TestKafka;
  readonly #topic: string;
  readonly #partitions: number;
  readonly #pace: RateLimit;
  readonly errors: unknown[] = [];
  #next = 0;
  #stopped = false;
  #loop: Promise<void> | undefined;

  constructor(kafka: TestKafka, topic: string, partitions: number, pace: RateLimit = USUAL_PACE) {
    this.#kafka = kafka;
    this.#topic = topic;
    this.#partitions = partitions;
    this.#pace = pace;
  }

  start(): this {
    this.#loop = this.#run();
    return this;
  }

  /** @returns the count of numbers, from 0, in each partition */
  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#loop;
    return this.#next;
  }

  async #run(): Promise<void> {
    const { atOnce, pauseMs } = this.#pace;
    while (!this.#stopped) {
      const first = this.#next;
      this.#next += atOnce;
      await Promise.all(
        Array.from({ length: this.#partitions }, (_, partition) => {
          const values = Array.from({ length: atOnce }, (_, index) => String(first + index));
          return this.#kafka
            .produce(this.#topic, partition, values)
            .catch((error) => this.errors.push(error));
        }),
      );
      await sleep(pauseMs);
      if (this.#next > MOST_NUMBERS) throw new Error('a test has not stopped its source');
    }
  }
}
