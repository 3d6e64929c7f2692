import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { OutgoingRecord } from '../src/core/model/records.ts';
import { KafkaAdmin } from '../src/io/kafka/admin/admin.ts';
import { KafkaConnection } from '../src/io/kafka/client/connection.ts';
import { kafkaOptions } from '../src/io/kafka/client/options.ts';
import { PlainProducer } from '../src/io/kafka/produce/plain-producer.ts';
import { createLog } from '../src/io/telemetry/log.ts';
import { createRunFolder } from '../test/lab/cache.ts';
import { runPenstock } from '../test/lab/deployment/penstock.ts';
import { sendInParts } from '../test/lab/deployment/send-in-parts.ts';
import { uniqueName } from '../test/lab/names.ts';
import { type KafkaCluster, startKafka } from '../test/lab/servers/kafka.ts';
import { unpin } from './measured-process.ts';

/** Ingest side of a case. */
export interface BedOptions {
  readonly partitions: number;
  readonly delivery: 'exactly_once' | 'at_least_once';
  readonly relabel?: readonly unknown[];
  readonly cacheMib?: number;
  readonly nodes?: readonly { readonly name: string; readonly url: string }[];
  /** Processes of the worker. Default: 1. */
  readonly processes?: number;
}

/** Configuration and topics of one case. */
export interface Prepared {
  readonly configFile: string;
  readonly raw: string;
  readonly tasks: string;
  readonly brokers: readonly string[];
}

/** One request for the ingest topic. */
export interface ScrapeRequest {
  readonly value: Buffer;
  readonly partition: number;
}

const TASKS = 32;

/** A real Kafka, and topics and configurations of their own for each case. */
export class Bed {
  readonly #kafka: KafkaCluster;
  readonly connection: KafkaConnection;
  readonly admin: KafkaAdmin;

  private constructor(kafka: KafkaCluster) {
    this.#kafka = kafka;
    this.connection = new KafkaConnection(
      kafkaOptions.parse({ brokers: kafka.brokers }),
      createLog('silent', 'bench'),
    );
    this.admin = new KafkaAdmin(this.connection);
  }

  static async start(): Promise<Bed> {
    return new Bed(await startKafka({ name: 'bench', own: true, optimized: true }));
  }

  get kafkaPid(): number {
    return this.#kafka.node(0).pid;
  }

  /** Writes a configuration with topics of its own, and creates them. */
  async prepare(options: BedOptions): Promise<Prepared> {
    unpin(this.kafkaPid); // the case before may have tied it to a core
    const folder = createRunFolder('bench');
    const raw = uniqueName('raw');
    const tasks = uniqueName('tasks');
    const configFile = path.join(folder, 'penstock.yml');
    const config = {
      // A process that is stopped while its input is written must not time out.
      kafka: { brokers: this.#kafka.brokers, request_timeout: '20m' },
      worker: {
        processes: options.processes ?? 1,
        session_timeout: '20m',
        rebalance_timeout: '30s',
        topic: raw,
        dead_topic: uniqueName('dead'),
        group: uniqueName('group'),
        delivery: options.delivery,
        ...(options.cacheMib === undefined ? {} : { series_cache_bytes: `${options.cacheMib}MiB` }),
      },
      routes: [
        {
          name: 'all',
          relabel: options.relabel ?? [],
          task: { labels: ['service', 'namespace'], count: TASKS },
          topic: tasks,
        },
      ],
      ...(options.nodes === undefined
        ? {}
        : { nodes: options.nodes, drain: { node: options.nodes[0]?.name } }),
      topics: { replication_factor: 1, raw: { partitions: options.partitions } },
    };
    writeFileSync(configFile, JSON.stringify(config));
    const { code, stderr } = await runPenstock(['topics', 'apply'], { configFile });
    if (code !== 0) throw new Error(`penstock topics apply failed: ${stderr}`);
    return { configFile, raw, tasks, brokers: this.#kafka.brokers };
  }

  /** Deletes the topics of a case, so that the next one has the disk and its cache to itself. */
  async discard({ raw, tasks }: Prepared): Promise<void> {
    const admin = await this.admin.client();
    await admin.deleteTopics({ topics: [raw, tasks] });
  }

  /** Writes requests to the ingest topic, in order within each partition. */
  async fill(topic: string, requests: Iterable<ScrapeRequest>): Promise<void> {
    const producer = new PlainProducer(this.connection);
    await sendInParts(producer, recordsOf(topic, requests));
    await producer.close();
  }

  async close(): Promise<void> {
    await this.admin.close();
    await this.#kafka.close();
  }
}

function* recordsOf(topic: string, requests: Iterable<ScrapeRequest>): Generator<OutgoingRecord> {
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
  for (const request of requests) yield { ...request, topic, key: null, headers, timestamp: Date.now() };
}
