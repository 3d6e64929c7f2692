import { isDeepStrictEqual } from 'node:util';
import type { DecoderRegistry } from '../../core/decode/registry.ts';
import { topicDecoders } from '../../core/decode/topic-decoders.ts';
import { orDefect } from '../../core/model/errors.ts';
import type { PreparedChange } from '../../core/model/prepared-change.ts';
import { Pipeline } from '../../core/pipeline/pipeline.ts';
import { RECORD_FRAME_BYTES } from '../../core/record/dead-letter.ts';
import type { CompiledRoute } from '../../core/route/route.ts';
import { release } from '../../core/wire/bytes.ts';
import { warnOfUnsteadyBrokers } from '../../io/kafka/admin/brokers.ts';
import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import type { AssignedPartition, Taken } from '../../io/kafka/group/assigned-partition.ts';
import { ForgottenOffsets } from '../../io/kafka/group/forgotten-offsets.ts';
import { type ServiceGroup, ServiceGroups } from '../../io/kafka/group/service-groups.ts';
import { StepSize } from '../../io/kafka/produce/step-size.ts';
import type { UsedTopics } from '../../io/kafka/topic/service-topics.ts';
import type { OutputTopic } from '../../io/kafka/topic/topic-look.ts';
import type { RegistryOptions } from '../../io/registry/options.ts';
import type { Readiness } from '../../io/telemetry/admin-server.ts';
import { Defects } from '../../io/telemetry/defects.ts';
import type { GroupWatch } from '../../io/telemetry/group-gauges.ts';
import type { Logger } from '../../io/telemetry/log.ts';
import type { Metrics } from '../../io/telemetry/metrics.ts';
import { epochMs, monotonicMs } from '../../io/time/clock.ts';
import { IngestEvents } from './events.ts';
import { type IngestTopic, ingestTopics, type WorkerOptions } from './options.ts';
import { AtLeastOnce, ExactlyOnce, type Publisher, type PublisherFactory } from './publisher.ts';
import { SchemaWait } from './schema-wait.ts';
import { runStep, type StepResult } from './step.ts';

/** Most bytes that one step takes, as fetched. The time that it holds the thread is bounded too (core/pipeline/step-limits.ts). */
const STEP_BYTES = 4 * 1024 * 1024;

export interface WorkerSetup {
  readonly worker: WorkerOptions;
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
  /** The setup in force; a reload replaces it between two steps. */
  #setup: WorkerSetup;
  /** Options of each ingest topic, also of those no longer read: records already fetched are still processed. */
  readonly #topics = new Map<string, IngestTopic>();
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #systemMs: () => number;
  readonly #groups: ServiceGroups;
  /** Its consumer group. */
  readonly #group: ServiceGroup;
  readonly #publishers: PublisherFactory;
  readonly #events: IngestEvents;
  #schemas: SchemaWait | undefined;
  readonly #defects: Defects;
  #decoders: (topic: string) => DecoderRegistry;
  #pipeline: Pipeline | undefined;

  constructor(
    connection: KafkaConnection,
    setup: WorkerSetup,
    metrics: Metrics,
    log: Logger,
    systemMs: () => number = epochMs,
  ) {
    const { worker, watch } = setup;
    this.#setup = setup;
    this.#schemas = SchemaWait.open(setup.registry, log, systemMs);
    this.#decoders = this.#makeDecoders();
    this.#metrics = metrics;
    this.#log = log;
    this.#systemMs = systemMs;
    this.#events = new IngestEvents(metrics, log);
    metrics.beginIngest(topicsOf(worker));
    this.#defects = new Defects(metrics, log);
    this.#groups = new ServiceGroups(connection, {
      settings: () => this.#setup.worker,
      topics: usedBy(setup),
      stage: 'decode',
      watch,
      metrics,
      log,
      systemMs,
    });
    this.#group = this.#open(worker.group);
    this.#publishers =
      worker.delivery === 'exactly_once'
        ? new ExactlyOnce(connection, worker.group, worker.transaction_timeout)
        : new AtLeastOnce(connection, (partition, offset) => this.#group.reader.commit(partition, offset));
  }

  /** Rejects when the worker cannot go on. */
  get failure(): Promise<never> {
    return this.#groups.failure;
  }

  /**
   * Checks the topics, then joins the group. Faults of some of them do not stop it: their partitions wait.
   *
   * @throws FatalKafkaError when no ingest topic can be read, or no task topic exists
   */
  async start(): Promise<void> {
    await this.#groups.topics.check();
    this.#pipeline = new Pipeline({
      ...rulesOf(this.#setup),
      maxRecordBytes: (name) => this.#groups.topics.outputs.maxMessageBytes(name) - RECORD_FRAME_BYTES,
      decoders: (name) => this.#decoders(name),
      renewDecoders: () => {
        this.#decoders = this.#makeDecoders();
      },
    });
    await this.#groups.join();
    if (this.#setup.worker.delivery === 'exactly_once')
      void warnOfUnsteadyBrokers(this.#groups.admin, this.#log);
  }

  /**
   * Prepares a reload of the options that may change at run time (app/config/reload-effects.ts). They take effect
   * between two steps; nothing is read again and nothing is lost. If `routes` is the same list, the routes are left
   * alone.
   *
   * @throws FatalKafkaError when a new topic cannot be used, ConfigError when a certificate or key of the registry
   *   cannot
   */
  async prepare(setup: WorkerSetup): Promise<PreparedChange> {
    const sameRegistry = isDeepStrictEqual(setup.registry, this.#setup.registry);
    const schemas = sameRegistry ? this.#schemas : SchemaWait.open(setup.registry, this.#log, this.#systemMs);
    const discard = () => void (sameRegistry ? undefined : schemas?.close());
    const read = this.#groups.admin.topicStates(topicsOf(setup.worker));
    const found = await this.#groups.topics.look(usedBy(setup), read).catch((error) => {
      discard();
      throw error;
    });
    return { commit: () => this.#commit(setup, found, schemas), discard };
  }

  #commit(
    setup: WorkerSetup,
    found: ReadonlyMap<string, OutputTopic>,
    schemas: SchemaWait | undefined,
  ): void {
    const { worker: before, routes } = this.#setup;
    this.#setup = setup;
    if (schemas !== this.#schemas) void this.#schemas?.close(); // partitions that wait for it use the new one
    this.#schemas = schemas;
    this.#decoders = this.#makeDecoders();
    this.#groups.topics.use(usedBy(setup), found);
    this.#pipeline?.replace(
      rulesOf({ ...setup, routes: setup.routes === routes ? undefined : setup.routes }),
    );
    if (isDeepStrictEqual(topicsOf(before), topicsOf(setup.worker))) return;
    this.#metrics.beginIngest(topicsOf(setup.worker));
    this.#group.reader.subscriptionChanged();
  }

  /** Finishes and commits what is in flight, leaves the group. @returns number of partitions cut off at the deadline */
  async stop(deadline: number): Promise<number> {
    const left = await this.#groups.finish(deadline);
    await Promise.allSettled([this.#publishers.close(), this.#groups.close(), this.#schemas?.close()]);
    return left;
  }

  /** Brings gauges up to date before a scrape. */
  collect(): void {
    this.#groups.collect();
    if (this.#pipeline !== undefined) this.#events.cache(this.#pipeline.cacheStats);
    this.#metrics.schemaWaits.set(this.#schemas?.waiting.length ?? 0);
  }

  readiness(): Readiness {
    return this.#groups.readiness();
  }

  status(): object {
    return {
      group: this.#setup.worker.group,
      topics: topicsOf(this.#setup.worker),
      routes: this.#setup.routes.map(({ name }) => name),
      partitions: this.#groups.partitions(),
      waiting_for_schemas: this.#schemas?.waiting ?? [],
      topic_troubles: this.#groups.topics.troubles.current,
    };
  }

  #makeDecoders(): (topic: string) => DecoderRegistry {
    const schemas = this.#schemas?.store;
    const read = ingestTopics(this.#setup.worker);
    for (const each of read) this.#topics.set(each.topic, each);
    const [first] = read;
    const others = [...this.#topics.values()].filter((topic) => topic !== first);
    return topicDecoders([{ ...first, schemas }, ...others.map((topic) => ({ ...topic, schemas }))]);
  }

  #open(groupId: string): ServiceGroup {
    const topics = () => topicsOf(this.#setup.worker);
    const written = () => [...new Set(this.#setup.routes.map(({ topic }) => topic))];
    const forgotten = new ForgottenOffsets(this.#groups.admin, groupId, written, this.#systemMs);
    return this.#groups.open({
      groupId,
      get topics() {
        return topics();
      },
      eligible: () => true,
      forgotten: (partition, bounds) => forgotten.of(partition, bounds),
      consume: (partition) => this.#consume(partition),
    });
  }

  #consume(partition: AssignedPartition): Promise<void> {
    const size = new StepSize(this.#setup.worker.transaction_timeout);
    return this.#groups.work<Publisher>(partition, this.#group, {
      open: (owned) => this.#publishers.open(owned),
      close: (publisher) => publisher.close(),
      work: async (owned, publisher, progressed, { offset, note }) => {
        // Commits the start: the next owner must not meet the gap again, nor take the partition for an unread one.
        if (note === undefined) await publisher.publish({ records: [], nextOffset: offset });
        await this.#work(owned, publisher, size, progressed);
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
      // Counted from the last take: records that came while the step was published have waited already.
      const lingerMs = Math.max(0, lastMs + this.#setup.worker.commit_interval - monotonicMs());
      const all = await partition.take({ maxRecords: size.records, maxBytes: STEP_BYTES, lingerMs });
      lastMs = monotonicMs();
      if (all?.corrupt !== undefined) {
        const records = [this.#groups.corruptLetter(partition, all.corrupt)];
        const { nextOffset } = all;
        const publish = () => publisher.publish({ records, nextOffset });
        if (!(await this.#groups.topics.outputs.write(records, partition, publish))) return;
        this.#group.gauges.committed(partition, nextOffset);
        this.#groups.passedOver(partition, all.corrupt);
        progressed();
        continue;
      }
      const taken = all && (await this.#withSchemas(partition, all));
      if (taken === undefined) return;
      if (taken.records.length === 0) {
        await publisher.publish({ records: [], nextOffset: taken.nextOffset });
        this.#group.gauges.committed(partition, taken.nextOffset);
        progressed();
        continue;
      }
      const { routes } = this.#setup;
      const { output, publication, done, left } = this.#run(taken, size);
      const blocked = this.#groups.topics.outputs.blocking(publication.records, partition);
      if (blocked !== undefined) {
        partition.putBack(taken.records);
        lastMs = Number.NEGATIVE_INFINITY; // these records have waited already
        for (const { value } of output.records) release(value);
        // Its first records may not need the topic.
        if (done.length > 1) size.blocked(done.length);
        else await this.#groups.topics.outputs.wait(blocked, partition);
        continue;
      }
      if (left.length > 0) {
        partition.putBack(left);
        lastMs = Number.NEGATIVE_INFINITY; // these records have waited already
      }
      const started = monotonicMs();
      try {
        const publish = () => publisher.publish(publication);
        if (!(await this.#groups.topics.outputs.write(publication.records, partition, publish))) return;
      } catch (error) {
        throw size.failed(error, done, monotonicMs() - started, publication.records);
      }
      size.published();
      this.#group.gauges.committed(partition, publication.nextOffset);
      const publishSeconds = (monotonicMs() - started) / 1000;
      this.#events.published({ ...output, routes, topic: partition.topic, publishSeconds }, this.#systemMs());
      // Free to reuse: the requests had copies of both, and are answered.
      for (const { value } of output.records) release(value);
      for (const { lease } of done) lease?.end();
      progressed();
    }
  }

  #run(taken: Taken, size: StepSize): StepResult {
    return orDefect(() =>
      runStep(taken, this.#pipeline!, this.#systemMs(), {
        dead: this.#groups.topics.dead,
        onDefect: (record, error) => this.#defects.report(record, error),
        refusalOf: (record) => size.refusalOf(record),
      }),
    );
  }

  /**
   * Waits for the schemas of records; puts back the records that there was no time to search.
   *
   * @returns undefined if the partition ends before the schemas are there
   */
  async #withSchemas(partition: AssignedPartition, taken: Taken): Promise<Taken | undefined> {
    const { records } = taken;
    const schemas = this.#schemas;
    if (schemas === undefined || records.length === 0) return taken;
    const { limits } = this.#setup.worker;
    const ready = await schemas.ready(partition, taken, this.#decoders(partition.topic), limits);
    if (schemas !== this.#schemas) return await this.#withSchemas(partition, taken); // a reload changed the registry
    if (ready === 0) return undefined;
    if (ready === records.length) return taken;
    partition.putBack(records.slice(ready));
    return { records: records.slice(0, ready), nextOffset: records[ready]!.offset };
  }
}

/** Its topics: it reads the ingest topics, and writes to those of the routes. */
function usedBy({ worker, routes }: WorkerSetup): UsedTopics {
  const counts = new Map<string, number>();
  for (const { topic, count } of routes) counts.set(topic, Math.max(count, counts.get(topic) ?? 0));
  return {
    sources: topicsOf(worker),
    outputs: [...counts].map(([topic, partitions]) => ({ topic, partitions })),
    deadTopic: worker.dead_topic,
  };
}

function topicsOf(worker: WorkerOptions): string[] {
  return ingestTopics(worker).map(({ topic }) => topic);
}

/** The options of the pipeline. */
function rulesOf<Routes>({ worker, routes }: { readonly worker: WorkerOptions; readonly routes: Routes }) {
  return {
    routes,
    cacheBytes: worker.series_cache_bytes,
    limits: worker.limits,
    tenantHeaders: worker.tenant_headers,
  };
}
