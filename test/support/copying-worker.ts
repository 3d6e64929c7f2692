/** A worker reduced to its Kafka side: it copies records, partition by partition. */

import type { Logger } from 'pino';
import type { OutgoingRecord } from '../../src/core/model/records.ts';
import { KafkaAdmin } from '../../src/io/kafka/admin/admin.ts';
import type { AssignedPartition, Taken } from '../../src/io/kafka/group/assigned-partition.ts';
import { GroupReader, type GroupReaderOptions } from '../../src/io/kafka/group/group-reader.ts';
import { type OffsetGap, runSessions } from '../../src/io/kafka/group/partition-session.ts';
import { StaleAnswerGuard } from '../../src/io/kafka/topic/stale-answer-guard.ts';
import type { Publisher, PublisherFactory } from '../../src/services/worker/publisher.ts';
import { AtLeastOnce, ExactlyOnce } from '../../src/services/worker/publisher.ts';
import { connect, SILENT } from './kafka-data.ts';

export interface CopySetup {
  brokers: string[];
  groupId: string;
  input: string;
  output: string;
}

export interface CopyOptions {
  log?: Logger;
  /** Default: exactly once. */
  delivery?: 'at_least_once';
  reader?: Partial<GroupReaderOptions>;
  /** How long an answer that may be stale has to last before it is believed, in ms. Default: as in production. */
  lastingMs?: number;
  onGap?: (gap: OffsetGap) => 'continue' | 'stop';
  /** Records to publish for those taken. Default: copies. */
  transform?: (taken: Taken, partition: AssignedPartition) => OutgoingRecord[] | Promise<OutgoingRecord[]>;
}

/** Settings of groups in tests: the shortest session that brokers allow. */
export const FAST_GROUP = {
  eligible: () => true,
  sessionTimeout: 6_000,
  rebalanceTimeout: 6_000,
  heartbeatInterval: 1_000,
  fetchMaxBytes: 8 << 20,
  fetchMaxWait: 100,
  queueBytes: 16 << 20,
};

const running = new Set<CopyingWorker>();

/** Ends the workers that a failed test has left running: they would keep its process alive. */
export async function stopCopyingWorkers(): Promise<void> {
  await Promise.all([...running].map((worker) => worker.stop()));
}

export class CopyingWorker {
  readonly reader: GroupReader;
  readonly failures: unknown[] = [];
  /** Sessions begun: each partition's first one, and one more after each failure. */
  sessions = 0;
  steps = 0;
  readonly #admin: KafkaAdmin;
  readonly #publishers: PublisherFactory;

  constructor({ brokers, groupId, input, output }: CopySetup, options: CopyOptions = {}) {
    const log = options.log ?? SILENT;
    const connection = connect(brokers, log);
    const unlikely = new StaleAnswerGuard(options.lastingMs);
    this.#publishers =
      options.delivery === 'at_least_once'
        ? new AtLeastOnce(connection, (partition, offset) => this.reader.commit(partition, offset))
        : new ExactlyOnce(connection, groupId, 20_000, unlikely);
    const transform =
      options.transform ??
      (({ records }) => records.map((record) => ({ ...record, topic: output, headers: {} })));
    this.#admin = new KafkaAdmin(connection);
    this.reader = new GroupReader(
      connection,
      this.#admin,
      {
        ...FAST_GROUP,
        groupId,
        topics: [input],
        consume: (partition) =>
          runSessions<Publisher>(partition, {
            reader: this.reader,
            log,
            open: (owned) => {
              this.sessions += 1;
              return this.#publishers.open(owned);
            },
            close: (publisher) => publisher.close(),
            onGap: options.onGap ?? (() => 'continue'),
            onFailure: (error) => this.failures.push(error),
            work: async (owned, publisher, progressed) => {
              for (;;) {
                const taken = await owned.take({ maxRecords: 1000, maxBytes: 1 << 20, lingerMs: 50 });
                if (taken === undefined) return;
                await publisher.publish({
                  records: await transform(taken, owned),
                  nextOffset: taken.nextOffset,
                });
                this.steps += 1;
                progressed();
              }
            },
          }),
        ...options.reader,
      },
      log,
      unlikely,
    );
  }

  async start(): Promise<this> {
    running.add(this);
    await this.reader.start();
    return this;
  }

  /** @returns partitions whose work was cut off. */
  async stop(): Promise<AssignedPartition[]> {
    running.delete(this);
    const left = await this.reader.stop(performance.now() + 10_000);
    await Promise.all([this.#publishers.close(), this.#admin.close()]);
    return left;
  }
}
