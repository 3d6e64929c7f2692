import type { Producer } from 'kafkajs';
import type { KafkaConnection } from '../../src/io/kafka/client/connection.ts';
import { sleep } from '../../src/io/time/sleep.ts';
import { MOST_RAW_PARTITIONS, RAW_PARTITIONS, ROUND_MS, recordOf } from './truth.ts';

const AFTER_ERROR_MS = 200;
/** Most rounds in one request, if several have come due during the one before. */
const MOST_AT_ONCE = 20;

/**
 * Writes round after round to every ingest partition, and records which of them Kafka has acknowledged.
 *
 * A round whose send failed may be in the topic or not. It is never sent again, so it is there at most once. Rounds
 * that come due during a send go out together, so that a slow cluster gets as many records as a fast one.
 */
export class TrueProducer {
  readonly startMs = Date.now();
  /** Whether a record was acknowledged by all in-sync replicas, by partition and round. */
  readonly acknowledged: boolean[][] = Array.from({ length: MOST_RAW_PARTITIONS }, () => []);
  readonly #connection: KafkaConnection;
  readonly #producers: Producer[] = [];
  readonly #topic: string;
  readonly #stop = new AbortController();
  readonly #loops: Promise<void>[] = [];

  constructor(connection: KafkaConnection, topic: string) {
    this.#topic = topic;
    this.#connection = connection;
  }

  async start(): Promise<void> {
    await this.write(Array.from({ length: RAW_PARTITIONS }, (_, partition) => partition));
  }

  /** Starts to write to partitions, which must exist. */
  async write(partitions: readonly number[]): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const producer = await this.#connected();
    this.#loops.push(...partitions.map((partition) => this.#run(producer, partition)));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#loops);
    await Promise.all(this.#producers.map((producer) => producer.disconnect()));
  }

  get counts(): { acknowledged: number; unknown: number } {
    const all = this.acknowledged.flat();
    const acknowledged = all.filter(Boolean).length;
    return { acknowledged, unknown: all.length - acknowledged };
  }

  async #connected(): Promise<Producer> {
    const producer = this.#connection.instance({ retries: 0 }).producer({
      idempotent: false,
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition!,
      retry: { retries: 0 },
    });
    this.#producers.push(producer);
    await producer.connect();
    return producer;
  }

  async #run(producer: Producer, partition: number): Promise<void> {
    const rounds = this.acknowledged[partition]!;
    const { signal } = this.#stop;
    let next = Date.now() + (partition * ROUND_MS) / RAW_PARTITIONS;
    while (!signal.aborted) {
      await sleep(Math.max(0, next - Date.now()), signal);
      const due = 1 + Math.floor((Date.now() - next) / ROUND_MS);
      const count = Math.max(1, Math.min(due, MOST_AT_ONCE));
      next = Math.max(next + count * ROUND_MS, Date.now() - MOST_AT_ONCE * ROUND_MS);
      const first = rounds.length;
      const messages = Array.from({ length: count }, (_, at) => ({
        partition,
        value: recordOf(partition, first + at, this.startMs),
      }));
      rounds.push(...messages.map(() => false));
      try {
        const answers = await producer.send({ topic: this.#topic, acks: -1, messages });
        // kafkajs drops records for a partition that its metadata does not have, and reports success.
        if (answers.some((answer) => answer.partition === partition)) rounds.fill(true, first);
      } catch {
        await sleep(AFTER_ERROR_MS, signal);
      }
    }
  }
}
