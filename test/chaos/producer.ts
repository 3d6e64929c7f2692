import type { Producer } from 'kafkajs';
import type { KafkaConnection } from '../../src/kafka/client.ts';
import { sleep } from '../../src/model/sleep.ts';
import { RAW_PARTITIONS, ROUND_MS, recordOf } from './truth.ts';

const AFTER_ERROR_MS = 200;

/**
 * Writes round after round to every ingest partition, and knows which of them Kafka has acknowledged.
 *
 * A round whose send failed may be in the topic or not. It is never sent again, so it can be there once at most.
 */
export class TrueProducer {
  readonly startMs = Date.now();
  /** By partition and round: whether the record was acknowledged by all in-sync replicas. */
  readonly acknowledged: boolean[][] = Array.from({ length: RAW_PARTITIONS }, () => []);
  readonly #producer: Producer;
  readonly #topic: string;
  readonly #stop = new AbortController();
  #loops: Promise<void>[] = [];

  constructor(connection: KafkaConnection, topic: string) {
    this.#topic = topic;
    this.#producer = connection.instance({ retries: 0 }).producer({
      idempotent: false,
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition!,
      retry: { retries: 0 },
    });
  }

  async start(): Promise<void> {
    await this.#producer.connect();
    this.#loops = this.acknowledged.map((_, partition) => this.#run(partition));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#loops);
    await this.#producer.disconnect();
  }

  get counts(): { acknowledged: number; unknown: number } {
    const all = this.acknowledged.flat();
    const acknowledged = all.filter(Boolean).length;
    return { acknowledged, unknown: all.length - acknowledged };
  }

  async #run(partition: number): Promise<void> {
    const rounds = this.acknowledged[partition]!;
    const { signal } = this.#stop;
    let next = Date.now() + (partition * ROUND_MS) / RAW_PARTITIONS;
    while (!signal.aborted) {
      await sleep(Math.max(0, next - Date.now()), signal);
      next = Math.max(next + ROUND_MS, Date.now());
      const round = rounds.length;
      rounds.push(false);
      const value = recordOf(partition, round, this.startMs);
      try {
        await this.#producer.send({ topic: this.#topic, acks: -1, messages: [{ partition, value }] });
        rounds[round] = true;
      } catch {
        await sleep(AFTER_ERROR_MS, signal);
      }
    }
  }
}
