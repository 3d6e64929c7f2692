import type { DecoderRegistry } from '../decode/registry.ts';
import { KafkaAdmin } from '../kafka/admin.ts';
import type { AssignedPartition, Taken } from '../kafka/assigned-partition.ts';
import type { KafkaConnection } from '../kafka/client.ts';
import { CorruptBatches } from '../kafka/corrupt-batches.ts';
import { corruptLetter } from '../kafka/corrupt-letter.ts';
import { type DeadTopic, RECORD_OVERHEAD_BYTES } from '../kafka/dead-record.ts';
import { RecordsRefusedError } from '../kafka/errors.ts';
import { GroupReader } from '../kafka/group-reader.ts';
import { runSessions } from '../kafka/partition-session.ts';
import { monotonicMs } from '../model/clock.ts';
import { orDefect, RetryableError } from '../model/errors.ts';
import { Pipeline } from '../pipeline.ts';
import { AtLeastOnce } from '../publish/at-least-once.ts';
import { ExactlyOnce } from '../publish/exactly-once.ts';
import type { Publisher, PublisherFactory } from '../publish/publisher.ts';
import { StepSize } from '../publish/step-size.ts';
import type { RegistryOptions } from '../registry/options.ts';
import type { CompiledRoute } from '../route.ts';
import type { Readiness } from '../telemetry/admin-server.ts';
import { Defects } from '../telemetry/defects.ts';
import { GroupGauges } from '../telemetry/group-gauges.ts';
import type { GroupWatch } from '../telemetry/group-watch.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { topicDecoders } from '../topic-decoders.ts';
import { release } from '../wire/bytes.ts';
import { giveBack } from '../wire/memory.ts';
import { IngestEvents } from './events.ts';
import { type IngestOptions, type IngestTopic, ingestTopics } from './options.ts';
import { SchemaWait } from './schema-wait.ts';
import { runStep, type StepResult } from './step.ts';

/** Bytes that one step takes at most, as they were fetched. How long it holds the thread is bounded too (step.ts). */
const STEP_BYTES = 4 * 1024 * 1024;

export interface WorkerOptions {
  readonly ingest: IngestOptions;
  readonly registry: RegistryOptions;
  readonly routes: readonly CompiledRoute[];
  readonly watch?: GroupWatch;
}

/**
 * The worker: ingest topics ▸ decode ▸ route ▸ relabel ▸ hash 1 ▸ task topics.
 *
 * Each input partition runs on its own, step by step; all share the pipeline's series cache.
 */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #topics: readonly [IngestTopic, ...IngestTopic[]];
  readonly #admin: KafkaAdmin;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #reader: GroupReader;
  readonly #publishers: PublisherFactory;
  readonly #gauges: GroupGauges;
  readonly #events: IngestEvents;
  readonly #schemas: SchemaWait | undefined;
  readonly #defects: Defects;
  #decoders: (topic: string) => DecoderRegistry;
  #routes: readonly CompiledRoute[];
  /** `max.message.bytes` by topic that is written to. */
  #maxBytes: ReadonlyMap<string, number> = new Map();
  #pipeline: Pipeline | undefined;
  #dead: DeadTopic | undefined;

  constructor(connection: KafkaConnection, options: WorkerOptions, metrics: Metrics, log: Logger) {
    const { ingest } = options;
    this.#options = options;
    this.#schemas = SchemaWait.open(options.registry, log);
    this.#topics = ingestTopics(ingest);
    this.#decoders = this.#makeDecoders();
    this.#routes = options.routes;
    this.#admin = new KafkaAdmin(connection);
    this.#metrics = metrics;
    this.#log = log;
    this.#events = new IngestEvents(metrics, log);
    metrics.beginIngest(this.#topics.map(({ topic }) => topic));
    this.#defects = new Defects(metrics, log);
    this.#reader = new GroupReader(
      connection,
      this.#admin,
      {
        groupId: ingest.group,
        topics: this.#topics.map(({ topic }) => topic),
        eligible: () => true,
        sessionTimeout: ingest.session_timeout,
        rebalanceTimeout: ingest.rebalance_timeout,
        heartbeatInterval: ingest.heartbeat_interval,
        fetchMaxBytes: ingest.fetch_max_bytes,
        fetchMaxWait: ingest.fetch_max_wait,
        queueBytes: ingest.queue_bytes,
        corrupt: new CorruptBatches(this.#admin, ingest.group, ingest.on_corrupt_batch),
        consume: (partition) => this.#consume(partition),
      },
      log,
    );
    this.#publishers =
      ingest.delivery === 'exactly_once'
        ? new ExactlyOnce(connection, ingest.group, ingest.transaction_timeout)
        : new AtLeastOnce(connection, (partition, offset) => this.#reader.commit(partition, offset));
    this.#gauges = new GroupGauges(this.#reader, this.#admin, metrics, ingest.group);
  }

  /** Rejects when the worker cannot go on. */
  get failure(): Promise<never> {
    return this.#reader.failure;
  }

  /** Checks the topics, then joins the group. @throws KafkaSetupError when a topic is missing or too small. */
  async start(): Promise<void> {
    const { ingest } = this.#options;
    const { dead_topic: topic } = ingest;
    const counts = await this.#admin.partitionCounts([topic]);
    let routes: readonly CompiledRoute[];
    do {
      routes = this.#routes;
      this.#maxBytes = await this.#checkTopics(routes);
    } while (routes !== this.#routes); // a reload came between
    this.#dead = { topic, partitions: counts.get(topic)!, maxMessageBytes: this.#maxBytes.get(topic)! };
    this.#pipeline = new Pipeline({
      routes,
      cacheBytes: ingest.series_cache_bytes,
      maxRecordBytes: (name) => this.#maxBytes.get(name)! - RECORD_OVERHEAD_BYTES,
      decoders: (name) => this.#decoders(name),
      renewDecoders: () => {
        this.#decoders = this.#makeDecoders();
      },
      limits: ingest.limits,
      tenantHeaders: ingest.tenant_headers,
    });
    await this.#reader.start();
    this.#gauges.start();
    this.#options.watch?.start(() => [this.#reader.memberId].filter((id) => id !== undefined));
  }

  /**
   * Puts other routes in force between two steps; nothing is read again and nothing is lost.
   *
   * @throws KafkaSetupError when a task topic is missing or too small; the old routes then stay in force
   */
  async reload(routes: readonly CompiledRoute[]): Promise<void> {
    this.#maxBytes = await this.#checkTopics(routes);
    this.#pipeline?.replaceRoutes(routes);
    this.#routes = routes;
  }

  /**
   * Every topic that is written to must be there, since kafkajs drops what is sent to a missing partition.
   *
   * @returns `max.message.bytes` of each
   */
  async #checkTopics(routes: readonly CompiledRoute[]): Promise<Map<string, number>> {
    const { dead_topic } = this.#options.ingest;
    const read = this.#topics.map(({ topic }) => [topic, 1] as const);
    const taskTopics = new Map(routes.map((route) => [route.topic, route.count]));
    await this.#admin.requireTopics(new Map([...read, [dead_topic, 1], ...taskTopics]));
    return await this.#admin.maxMessageBytes([dead_topic, ...taskTopics.keys()]);
  }

  /** Finishes and commits what is in flight, leaves the group. @returns how many partitions were cut off. */
  async stop(deadline: number): Promise<number> {
    this.#gauges.stop();
    const left = await this.#reader.stop(deadline);
    await Promise.allSettled([
      this.#publishers.close(),
      this.#admin.close(),
      this.#schemas?.close(),
      this.#options.watch?.stop(),
    ]);
    return left.length;
  }

  /** Brings gauges up to date before a scrape. */
  collect(): void {
    GroupGauges.collect([this.#gauges], this.#metrics);
    this.#options.watch?.collect();
    if (this.#pipeline !== undefined) this.#events.cache(this.#pipeline.cacheStats);
    this.#metrics.schemaWaits.set(this.#schemas?.waiting.length ?? 0);
  }

  readiness(): Readiness {
    return this.#gauges.readiness();
  }

  status(): object {
    return {
      group: this.#options.ingest.group,
      topics: this.#topics.map(({ topic }) => topic),
      routes: this.#routes.map(({ name }) => name),
      partitions: this.#gauges.partitions(),
      waiting_for_schemas: this.#schemas?.waiting ?? [],
    };
  }

  #makeDecoders(): (topic: string) => DecoderRegistry {
    const schemas = this.#schemas?.store;
    const [first, ...others] = this.#topics;
    return topicDecoders([{ ...first, schemas }, ...others.map((topic) => ({ ...topic, schemas }))]);
  }

  #consume(partition: AssignedPartition): Promise<void> {
    const size = new StepSize(this.#options.ingest.transaction_timeout);
    return runSessions<Publisher>(partition, {
      reader: this.#reader,
      log: this.#log,
      open: (owned) => this.#publishers.open(owned),
      close: (publisher) => publisher.close(),
      work: async (owned, publisher, progressed, { offset, gap }) => {
        // So that a gap is not met again by whoever owns the partition next.
        if (gap !== undefined) await publisher.publish({ records: [], nextOffset: offset });
        await this.#work(owned, publisher, size, progressed);
      },
      onGap: (gap) => {
        this.#metrics.offsetGaps.inc({ topic: gap.topic, reason: gap.reason }, Number(gap.to - gap.from));
        return this.#options.ingest.on_offset_gap;
      },
      onFailure: () => this.#metrics.transactions.inc({ result: 'failed' }),
    });
  }

  async #work(
    partition: AssignedPartition,
    publisher: Publisher,
    size: StepSize,
    progressed: () => void,
  ): Promise<void> {
    let lastMs = Number.NEGATIVE_INFINITY;
    for (;;) {
      // What came while the last step was published has waited that long already.
      const lingerMs = Math.max(0, lastMs + this.#options.ingest.commit_interval - monotonicMs());
      const all = await partition.take({ maxRecords: size.records, maxBytes: STEP_BYTES, lingerMs });
      lastMs = monotonicMs();
      if (all?.corrupt !== undefined) {
        const letter = corruptLetter(partition, 'decode', all.corrupt, this.#dead!, Date.now());
        await publisher.publish({ records: [letter], nextOffset: all.nextOffset });
        this.#gauges.committed(partition, all.nextOffset);
        this.#events.setAside(partition, all.corrupt);
        progressed();
        continue;
      }
      const taken = all && (await this.#withSchemas(partition, all));
      if (taken === undefined) return;
      if (taken.records.length === 0) {
        await publisher.publish({ records: [], nextOffset: taken.nextOffset });
        this.#gauges.committed(partition, taken.nextOffset);
        progressed();
        continue;
      }
      const routes = this.#routes;
      const { output, publication, done, left } = this.#run(taken, size);
      if (left.length > 0) {
        partition.putBack(left);
        lastMs = Number.NEGATIVE_INFINITY; // they have waited
      }
      const started = monotonicMs();
      try {
        await publisher.publish(publication);
      } catch (error) {
        throw await this.#failed(error, { done, publication }, size, monotonicMs() - started);
      }
      size.published();
      this.#gauges.committed(partition, publication.nextOffset);
      const publishSeconds = (monotonicMs() - started) / 1000;
      this.#events.published({ ...output, routes, topic: partition.topic, publishSeconds }, Date.now());
      // The requests had copies of both, and they are answered.
      for (const { value } of output.records) release(value);
      for (const { memory } of done) if (memory !== undefined) giveBack(memory);
      progressed();
    }
  }

  #run(taken: Taken, size: StepSize): StepResult {
    return orDefect(() =>
      runStep(taken, this.#pipeline!, Date.now(), {
        dead: this.#dead!,
        onDefect: (record, error) => this.#defects.report(record, error),
        refusalOf: (record) => size.refusalOf(record),
      }),
    );
  }

  /** @returns what to throw for a step that was not published */
  async #failed(
    error: unknown,
    { done, publication }: Pick<StepResult, 'done' | 'publication'>,
    size: StepSize,
    ms: number,
  ): Promise<unknown> {
    if (error instanceof RecordsRefusedError && (await this.#hasNewLimits())) {
      return new RetryableError(error.message, { cause: error });
    }
    return size.failed(error, done, ms, publication.records);
  }

  /** Whether a topic's `max.message.bytes` has changed since it was asked for; if so the new one holds from now on. */
  async #hasNewLimits(): Promise<boolean> {
    const before = this.#maxBytes;
    const now = await this.#checkTopics(this.#routes);
    if ([...now].every(([topic, bytes]) => before.get(topic) === bytes)) return false;
    this.#maxBytes = now;
    this.#dead = { ...this.#dead!, maxMessageBytes: now.get(this.#dead!.topic)! };
    return true;
  }

  /**
   * Waits for the schemas of records, and puts back those that it has no time for.
   *
   * @returns undefined: the partition ends before they are there
   */
  async #withSchemas(partition: AssignedPartition, taken: Taken): Promise<Taken | undefined> {
    const { records } = taken;
    if (this.#schemas === undefined || records.length === 0) return taken;
    const { limits } = this.#options.ingest;
    const ready = await this.#schemas.ready(partition, taken, this.#decoders(partition.topic), limits);
    if (ready === 0) return undefined;
    if (ready === records.length) return taken;
    partition.putBack(records.slice(ready));
    return { records: records.slice(0, ready), nextOffset: records[ready]!.offset };
  }
}
