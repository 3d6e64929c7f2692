import { HelperProcess } from '../lab/helper-process.ts';
import { RAW_PARTITIONS } from './truth.ts';

/** What was written, by partition and round: whether all in-sync replicas have acknowledged the record. */
export type Acknowledged = readonly (readonly boolean[])[];

export interface ProducerCounts {
  readonly acknowledged: number;
  readonly unknown: number;
}

/** `write`: these partitions too, which must exist. `stop`: end, and answer with all that was written. */
export type ProducerOrder = { readonly write: readonly number[] } | 'counts' | 'stop';

/** The producer of the truth, in a process of its own (`produce.ts`): kafkajs as it is, without Penstock's patches. */
export class TrueProducer {
  readonly startMs: number;
  readonly #process: HelperProcess;

  private constructor(process: HelperProcess, startMs: number) {
    this.#process = process;
    this.startMs = startMs;
  }

  /** Writes to the first partitions. */
  static async start(brokers: readonly string[], topic: string): Promise<TrueProducer> {
    const [process, startMs] = await HelperProcess.start<number>('test/chaos/produce.ts', [
      brokers.join(),
      topic,
    ]);
    const producer = new TrueProducer(process, startMs);
    await producer.write(Array.from({ length: RAW_PARTITIONS }, (_, partition) => partition));
    return producer;
  }

  /** Starts to write to partitions, which must exist. */
  async write(partitions: readonly number[]): Promise<void> {
    await this.#ask({ write: partitions });
  }

  counts(): Promise<ProducerCounts> {
    return this.#ask('counts');
  }

  stop(): Promise<Acknowledged> {
    return this.#ask('stop');
  }

  close(): void {
    this.#process.close();
  }

  #ask<Answer>(order: ProducerOrder): Promise<Answer> {
    return this.#process.ask(order);
  }
}
