import type { Producer } from 'kafkajs';
import { RetryableError } from '../../../core/model/errors.ts';
import type { OutgoingRecord } from '../../../core/model/records.ts';
import { monotonicMs } from '../../time/clock.ts';
import { BRIEF, type KafkaConnection } from '../client/connection.ts';
import { StaleAnswerGuard } from '../topic/stale-answer-guard.ts';
import { assertAcknowledged, topicMessages } from './outgoing.ts';
import { BatchLimit } from './send-rounds.ts';

interface Connected {
  readonly producer: Producer;
  /** By `monotonicMs`. */
  readonly sinceMs: number;
}

/** Writes records outside of transactions, acknowledged by all in-sync replicas: at least once. */
export class PlainProducer {
  readonly #connection: KafkaConnection;
  readonly #limit = new BatchLimit();
  readonly #unknown: StaleAnswerGuard;
  #connected: Promise<Connected> | undefined;

  /** @param unknown decides how long a missing partition is retried */
  constructor(connection: KafkaConnection, unknown = new StaleAnswerGuard()) {
    this.#connection = connection;
    this.#unknown = unknown;
  }

  /**
   * Resolves when every record is in all in-sync replicas. After an error some may have been written.
   *
   * @throws FatalKafkaError for a missing partition, and for records too large or refused permanently; RetryableError
   *   while a partition may only be new
   */
  async send(records: readonly OutgoingRecord[]): Promise<void> {
    for (const round of this.#limit.rounds(records)) {
      try {
        await this.#sendRound(round);
      } catch (error) {
        this.#limit.shrink(error, round);
        await this.send(round);
      }
    }
  }

  async close(): Promise<void> {
    const connected = await this.#connected?.catch(() => undefined);
    await connected?.producer.disconnect();
  }

  async #sendRound(round: readonly OutgoingRecord[]): Promise<void> {
    this.#connected ??= this.#connect().catch((error) => {
      this.#connected = undefined;
      throw error;
    });
    const connecting = this.#connected;
    const { producer, sinceMs } = await connecting;
    const acknowledged = await producer.sendBatch({ topicMessages: topicMessages(round), acks: -1 });
    try {
      assertAcknowledged(round, acknowledged, sinceMs, this.#unknown);
    } catch (error) {
      if (error instanceof RetryableError && this.#connected === connecting) {
        this.#connected = undefined;
        void producer.disconnect().catch(() => undefined);
      }
      throw error;
    }
  }

  async #connect(): Promise<Connected> {
    const sinceMs = monotonicMs();
    const producer = this.#connection.instance(BRIEF).producer({
      idempotent: false,
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
      retry: BRIEF,
    });
    await producer.connect();
    return { producer, sinceMs };
  }
}
