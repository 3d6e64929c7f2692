import type { OutgoingRecord } from '../src/core/model/records.ts';
import { Deployment } from '../test/lab/deployment/deployment.ts';
import type { ScrapeRequest } from '../test/lab/generator/scrapes.ts';
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

const TASKS = 32;
export const ROUTE = 'all';

/** A real Kafka, and a deployment of its own for each case. */
export class Bed {
  readonly #kafka: KafkaCluster;

  private constructor(kafka: KafkaCluster) {
    this.#kafka = kafka;
  }

  static async start(): Promise<Bed> {
    return new Bed(await startKafka({ name: 'bench', own: true, optimized: true }));
  }

  get kafkaPid(): number {
    return this.#kafka.node(0).pid;
  }

  get brokers(): readonly string[] {
    return this.#kafka.brokers;
  }

  /** Writes a configuration with topics of its own, and creates them. */
  async prepare(options: BedOptions): Promise<Deployment> {
    unpin(this.kafkaPid); // the case before may have tied it to a core
    const { nodes = [], partitions, delivery, cacheMib, processes = 1, relabel = [] } = options;
    return await Deployment.create({
      brokers: this.brokers,
      // A process that is stopped while its input is written must not time out.
      kafka: { request_timeout: '20m' },
      rawPartitions: partitions,
      routes: [{ name: ROUTE, relabel, task: { labels: ['service', 'namespace'], count: TASKS } }],
      nodes,
      worker: {
        processes,
        session_timeout: '20m',
        heartbeat_interval: '3s',
        delivery,
        ...(cacheMib === undefined ? {} : { series_cache_bytes: `${cacheMib}MiB` }),
      },
      drain: { session_timeout: '15s', heartbeat_interval: '3s', ...(nodes[0] && { node: nodes[0].name }) },
    });
  }

  /** Deletes the topics of a case, so that the next one has the disk and its cache to itself. */
  async discard(deployment: Deployment): Promise<void> {
    const admin = await deployment.admin.client();
    await admin.deleteTopics({ topics: [deployment.raw, deployment.topic(ROUTE)] });
    await deployment.close();
  }

  /** Writes requests to the ingest topic, in order within each partition. */
  async fill(deployment: Deployment, requests: Iterable<ScrapeRequest>): Promise<void> {
    await deployment.fill(recordsOf(deployment.raw, requests));
  }

  async close(): Promise<void> {
    await this.#kafka.close();
  }
}

function* recordsOf(topic: string, requests: Iterable<ScrapeRequest>): Generator<OutgoingRecord> {
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
  for (const request of requests) yield { ...request, topic, key: null, headers, timestamp: Date.now() };
}
