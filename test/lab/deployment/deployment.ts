import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { OutgoingRecord } from '../../../src/core/model/records.ts';
import { KafkaAdmin } from '../../../src/io/kafka/admin/admin.ts';
import { KafkaConnection } from '../../../src/io/kafka/client/connection.ts';
import { kafkaOptions } from '../../../src/io/kafka/client/options.ts';
import { PlainProducer } from '../../../src/io/kafka/produce/plain-producer.ts';
import { createLog } from '../../../src/io/telemetry/log.ts';
import { createRunFolder } from '../cache.ts';
import { uniqueName } from '../names.ts';
import { poll } from '../process.ts';
import { applyTopics, type PenstockProcess } from './penstock.ts';
import { highWatermarks, type ReadRecord, readTopic } from './read-topic.ts';
import { launch, type Running, untilReady } from './running.ts';

export interface DeploymentOptions {
  readonly brokers: readonly string[];
  /** Settings of `kafka` for Penstock's processes, over `brokers`; the test itself always connects in plain text. */
  readonly kafka?: Readonly<Record<string, unknown>>;
  /** Environment of `topics apply`, for secrets. */
  readonly env?: Readonly<Record<string, string>>;
  readonly rawPartitions?: number;
  /** Retention of the ingest topic. Default: that of the configuration. */
  readonly rawRetention?: string;
  /** `max.message.bytes` of the task topics. Default: that of the configuration. */
  readonly maxTaskRecord?: string;
  /** Replicas of every topic. Default: 1. */
  readonly replicas?: number;
  /** A route without a topic gets one of its own. */
  readonly routes: readonly Readonly<Record<string, unknown> & { name: string; topic?: string }>[];
  readonly nodes?: readonly Readonly<Record<string, unknown> & { name: string; url: string }>[];
  readonly worker?: Readonly<Record<string, unknown>>;
  readonly drain?: Readonly<Record<string, unknown>>;
  readonly registry?: Readonly<Record<string, unknown>>;
}

/** Generous: CI may be busy. */
const READY_TIMEOUT_MS = 180_000;
const LAG_TIMEOUT_MS = 180_000;
const SEND_BYTES = 512 * 1024;

/**
 * One Penstock on a cluster that others use too: topics, group and configuration of its own, and its processes.
 */
export class Deployment {
  readonly configFile: string;
  readonly raw = uniqueName('raw');
  readonly dead = uniqueName('dead');
  readonly group = uniqueName('group');
  readonly connection: KafkaConnection;
  readonly admin: KafkaAdmin;
  readonly producer: PlainProducer;
  readonly #topics: ReadonlyMap<string, string>;
  /** The commands started, in that order. */
  readonly running: Running[] = [];
  readonly #processes: PenstockProcess[] = [];

  private constructor(options: DeploymentOptions) {
    const folder = createRunFolder('deployment');
    this.configFile = path.join(folder, 'penstock.yml');
    this.#topics = new Map(
      options.routes.map(({ name, topic }) => [name, topic ?? uniqueName(`tasks.${name}`)]),
    );
    this.connection = new KafkaConnection(
      kafkaOptions.parse({ brokers: options.brokers }),
      createLog('silent', 'test'),
    );
    this.admin = new KafkaAdmin(this.connection);
    this.producer = new PlainProducer(this.connection);
    writeFileSync(this.configFile, JSON.stringify(this.#configuration(options), null, 2));
  }

  /** Writes the configuration and applies its topics. */
  static async create(options: DeploymentOptions): Promise<Deployment> {
    const deployment = new Deployment(options);
    const { configFile } = deployment;
    await applyTopics({ configFile, env: options.env ?? {} });
    return deployment;
  }

  /** The task topic of a route. */
  topic(route: string): string {
    return this.#topics.get(route)!;
  }

  /** Replaces parts of the configuration for processes that start from now on: by top-level key. */
  reconfigure(parts: Readonly<Record<string, unknown>>): void {
    const before = JSON.parse(readFileSync(this.configFile, 'utf8')) as Record<string, unknown>;
    // Atomic: a process that starts at this moment reads the old file or the new one.
    writeFileSync(`${this.configFile}.new`, JSON.stringify({ ...before, ...parts }, null, 2));
    renameSync(`${this.configFile}.new`, this.configFile);
  }

  /** Starts a command and waits until it is ready. */
  async start(args: string[], env: Record<string, string> = {}): Promise<Running> {
    const running = await this.launch(args, env);
    await untilReady(running, { timeoutMs: READY_TIMEOUT_MS });
    this.running.push(running);
    return running;
  }

  /** Starts a command. */
  async launch(args: string[], env: Record<string, string> = {}): Promise<Running> {
    const running = await launch(args, { configFile: this.configFile, env });
    this.#processes.push(running.process);
    return running;
  }

  /** Writes bodies to a partition of the ingest topic. */
  async produce(
    bodies: readonly (Buffer | null)[],
    partition = 0,
    headers: Record<string, string> = {},
  ): Promise<void> {
    await this.producer.send(
      bodies.map((value) => ({
        topic: this.raw,
        partition,
        key: null,
        value,
        headers,
        timestamp: Date.now(),
      })),
    );
  }

  /** Writes any number of records, in order within each partition, in parts that fit a request: kafkajs does not split. */
  async fill(records: Iterable<OutgoingRecord>): Promise<void> {
    let part: OutgoingRecord[] = [];
    let bytes = 0;
    for (const record of records) {
      part.push(record);
      bytes += record.value?.length ?? 0;
      if (bytes < SEND_BYTES) continue;
      await this.producer.send(part);
      part = [];
      bytes = 0;
    }
    if (part.length > 0) await this.producer.send(part);
  }

  /** Deletes the records of an ingest partition before `offset`, as retention does in time. */
  async deleteBefore(offset: number, partition = 0): Promise<void> {
    const client = await this.admin.client();
    await this.admin.offsetBounds(this.raw); // kafkajs asks nobody which broker leads a partition here
    const partitions = [{ partition, offset: String(offset) }];
    await client.deleteTopicRecords({ topic: this.raw, partitions });
  }

  read(topic: string): Promise<ReadRecord[]> {
    return readTopic(this.connection, this.admin, topic);
  }

  /**
   * Records between a group's committed offsets and the ends of a topic's partitions.
   *
   * @param ends high watermarks, so that records of open transactions count too
   */
  async lag(
    group: string,
    topic: string,
    read: (partition: number) => boolean = () => true,
    ends: ReadonlyMap<number, bigint> = new Map(),
  ): Promise<bigint> {
    const [committed, bounds] = await Promise.all([
      this.admin.committedOffsets(group, topic),
      this.admin.offsetBounds(topic),
    ]);
    let records = 0n;
    for (const [partition, { low, high }] of bounds) {
      const end = ends.get(partition) ?? high;
      if (read(partition)) records += (end > high ? end : high) - (committed.get(partition) ?? low);
    }
    return records;
  }

  /** Waits until the workers have committed all of the ingest topic. */
  async workersDone(): Promise<void> {
    await this.noLag(this.group, this.raw);
  }

  /**
   * Waits until a group has committed all of a topic, up to the high watermarks. The last stable offset does not tell:
   * it may still be before the records of the last transaction when the offsets of that are visible.
   */
  async noLag(group: string, topic: string, read?: (partition: number) => boolean): Promise<void> {
    const ends = await highWatermarks(this.admin, topic);
    let left = 0n;
    await poll(
      async () => (left = await this.lag(group, topic, read, ends)) === 0n,
      { timeoutMs: LAG_TIMEOUT_MS },
      () => new Error(`${group} has ${left} records of ${topic} left after ${LAG_TIMEOUT_MS} ms`),
    );
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#processes.map((process) => process.discard()));
    await Promise.allSettled([this.producer.close(), this.admin.close()]);
  }

  #configuration({
    brokers,
    kafka = {},
    rawPartitions = 1,
    rawRetention,
    maxTaskRecord,
    replicas = 1,
    routes,
    nodes = [],
    worker = {},
    drain = {},
    registry = {},
  }: DeploymentOptions) {
    const session = { session_timeout: '6s', heartbeat_interval: '1s' };
    return {
      kafka: { brokers, ...kafka },
      worker: { topic: this.raw, dead_topic: this.dead, group: this.group, ...session, ...worker },
      routes: routes.map((route) => ({ ...route, topic: this.topic(route.name) })),
      nodes,
      drain: { ...session, ...drain },
      registry,
      topics: {
        replication_factor: replicas,
        raw: {
          partitions: rawPartitions,
          ...(rawRetention === undefined ? {} : { retention: rawRetention }),
        },
        tasks: maxTaskRecord === undefined ? {} : { max_message_bytes: maxTaskRecord },
      },
    };
  }
}
