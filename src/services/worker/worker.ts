import { isDeepStrictEqual } from 'node:util';
import type { DecoderRegistry } from '../../core/decode/registry.ts';
import { topicDecoders } from '../../core/decode/topic-decoders.ts';
import { orDefect } from '../../core/model/errors.ts';
import type { PreparedChange } from '../../core/model/prepared-change.ts';
import { Pipeline } from '../../core/pipeline/pipeline.ts';
import { type DeadTopic, RECORD_OVERHEAD_BYTES } from '../../core/record/dead-letter.ts';
import type { CompiledRoute } from '../../core/route/route.ts';
import { release } from '../../core/wire/bytes.ts';
import { giveBack } from '../../core/wire/memory.ts';
import { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import { warnOfUnsteadyBrokers } from '../../io/kafka/admin/brokers.ts';
import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import type { AssignedPartition, Taken } from '../../io/kafka/group/assigned-partition.ts';
import { CorruptBatches, corruptLetter } from '../../io/kafka/group/corrupt-batches.ts';
import { ForgottenOffsets } from '../../io/kafka/group/forgotten-offsets.ts';
import { GroupReader, type GroupReaderOptions } from '../../io/kafka/group/group-reader.ts';
import { gapRecords, runSessions } from '../../io/kafka/group/partition-session.ts';
import { StepSize } from '../../io/kafka/produce/step-size.ts';
import { OutputTopics } from '../../io/kafka/topic/output-topics.ts';
import type { NeededTopic, OutputTopic } from '../../io/kafka/topic/topic-look.ts';
import { assertNewUsable, isAbsent, unusableTopics } from '../../io/kafka/topic/topic-trouble.ts';
import { TopicTroubles } from '../../io/kafka/topic/topic-troubles.ts';
import { TopicWatch } from '../../io/kafka/topic/topic-watch.ts';
import type { RegistryOptions } from '../../io/registry/options.ts';
import type { Readiness } from '../../io/telemetry/admin-server.ts';
import { Defects } from '../../io/telemetry/defects.ts';
import { GroupGauges } from '../../io/telemetry/group-gauges.ts';
import type { GroupWatch } from '../../io/telemetry/group-watch.ts';
import type { Logger } from '../../io/telemetry/log.ts';
import type { Metrics } from '../../io/telemetry/metrics.ts';
import { monotonicMs } from '../../io/time/clock.ts';
import { AtLeastOnce } from './at-least-once.ts';
import { IngestEvents } from './events.ts';
import { ExactlyOnce } from './exactly-once.ts';
import { type IngestTopic, ingestTopics, type WorkerOptions } from './options.ts';
import type { Publisher, PublisherFactory } from './publisher.ts';
import { SchemaWait } from './schema-wait.ts';
import { runStep, type StepResult } from './step.ts';

/** Most bytes that one step takes, as fetched. The time that it holds the thread is bounded too (step.ts). */
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
  /** The options in force; a reload replaces them between two steps. */
  #setup: WorkerSetup;
  /** Options of each ingest topic, also of those no longer read: records already fetched are still processed. */
  readonly #topics = new Map<string, IngestTopic>();
  readonly #admin: KafkaAdmin;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #reader: GroupReader;
  readonly #publishers: PublisherFactory;
  readonly #gauges: GroupGauges;
  readonly #events: IngestEvents;
  #schemas: SchemaWait | undefined;
  readonly #defects: Defects;
  #decoders: (topic: string) => DecoderRegistry;
  readonly #troubles: TopicTroubles;
  readonly #outputs: OutputTopics;
  readonly #topicWatch: TopicWatch;
  #pipeline: Pipeline | undefined;

  constructor(connection: KafkaConnection, setup: WorkerSetup, metrics: Metrics, log: Logger) {
    const { worker } = setup;
    this.#setup = setup;
    this.#schemas = SchemaWait.open(setup.registry, log);
    this.#decoders = this.#makeDecoders();
    this.#admin = new KafkaAdmin(connection);
    this.#metrics = metrics;
    this.#log = log;
    this.#troubles = new TopicTroubles(log);
    this.#outputs = new OutputTopics(this.#admin, this.#troubles);
    this.#topicWatch = new TopicWatch(this.#admin, () => topicsOf(this.#setup.worker), this.#troubles);
    this.#events = new IngestEvents(metrics, log);
    metrics.beginIngest(topicsOf(worker));
    this.#defects = new Defects(metrics, log);
    this.#reader = new GroupReader(connection, this.#admin, this.#readerOptions(), log);
    this.#publishers =
      worker.delivery === 'exactly_once'
        ? new ExactlyOnce(connection, worker.group, worker.transaction_timeout)
        : new AtLeastOnce(connection, (partition, offset) => this.#reader.commit(partition, offset));
    this.#gauges = new GroupGauges(this.#reader, this.#admin, metrics, worker.group);
  }

  /** Rejects when the worker cannot go on. */
  get failure(): Promise<never> {
    return this.#reader.failure;
  }

  /**
   * Checks the topics, then joins the group. Faults of some of them do not stop it: their partitions wait.
   *
   * @throws FatalKafkaError when no ingest topic can be read, or no task topic exists
   */
  async start(): Promise<void> {
    let setup: WorkerSetup;
    do {
      setup = this.#setup;
      const absent = [...(await this.#topicWatch.look()).values()].filter(isAbsent);
      if (absent.length === topicsOf(setup.worker).length) throw unusableTopics(absent);
      const needed = neededBy(setup);
      const found = await this.#outputs.look(needed);
      const troubles = setup.routes.map(({ topic }) => found.get(topic)?.trouble);
      const missing = troubles.filter((trouble) => trouble !== undefined).filter(isAbsent);
      if (troubles.length > 0 && missing.length === troubles.length) throw unusableTopics(missing);
      this.#outputs.use(needed, found);
    } while (setup !== this.#setup); // a reload came between
    this.#pipeline = new Pipeline({
      ...rulesOf(setup),
      maxRecordBytes: (name) => this.#outputs.maxMessageBytes(name) - RECORD_OVERHEAD_BYTES,
      decoders: (name) => this.#decoders(name),
      renewDecoders: () => {
        this.#decoders = this.#makeDecoders();
      },
    });
    await this.#reader.start();
    if (this.#setup.worker.delivery === 'exactly_once') void warnOfUnsteadyBrokers(this.#admin, this.#log);
    this.#gauges.start();
    this.#topicWatch.start();
    this.#setup.watch?.start(() => [this.#reader.memberId].filter((id) => id !== undefined));
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
    const schemas = sameRegistry ? this.#schemas : SchemaWait.open(setup.registry, this.#log);
    const discard = () => void (sameRegistry ? undefined : schemas?.close());
    const found = await this.#newTopics(setup).catch((error) => {
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
    this.#outputs.use(neededBy(setup), found);
    this.#pipeline?.replace(
      rulesOf({ ...setup, routes: setup.routes === routes ? undefined : setup.routes }),
    );
    if (isDeepStrictEqual(topicsOf(before), topicsOf(setup.worker))) return;
    this.#metrics.beginIngest(topicsOf(setup.worker));
    this.#reader.subscriptionChanged();
  }

  /**
   * Checks the topics of other setup. @returns the output topics. @throws FatalKafkaError for an unusable new topic
   */
  async #newTopics(setup: WorkerSetup): Promise<ReadonlyMap<string, OutputTopic>> {
    const [found, read] = await Promise.all([
      this.#outputs.look(neededBy(setup)),
      this.#admin.topicStates(topicsOf(setup.worker)),
    ]);
    const used = new Set([
      ...topicsOf(this.#setup.worker),
      ...neededBy(this.#setup).map(({ topic }) => topic),
    ]);
    assertNewUsable([...read, ...found], used);
    return found;
  }

  get #dead(): DeadTopic {
    return this.#outputs.deadTopic(this.#setup.worker.dead_topic);
  }

  /** Finishes and commits what is in flight, leaves the group. @returns number of partitions cut off at the deadline */
  async stop(deadline: number): Promise<number> {
    this.#gauges.stop();
    this.#topicWatch.stop();
    const left = await this.#reader.stop(deadline);
    this.#outputs.close();
    await Promise.allSettled([
      this.#publishers.close(),
      this.#admin.close(),
      this.#schemas?.close(),
      this.#setup.watch?.stop(),
    ]);
    return left.length;
  }

  /** Brings gauges up to date before a scrape. */
  collect(): void {
    GroupGauges.collect([this.#gauges], this.#metrics);
    this.#setup.watch?.collect();
    if (this.#pipeline !== undefined) this.#events.cache(this.#pipeline.cacheStats);
    this.#metrics.schemaWaits.set(this.#schemas?.waiting.length ?? 0);
    this.#metrics.showTroubles(this.#troubles.current);
  }

  readiness(): Readiness {
    return this.#gauges.readiness();
  }

  status(): object {
    return {
      group: this.#setup.worker.group,
      topics: topicsOf(this.#setup.worker),
      routes: this.#setup.routes.map(({ name }) => name),
      partitions: this.#gauges.partitions(),
      waiting_for_schemas: this.#schemas?.waiting ?? [],
      topic_troubles: this.#troubles.current,
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

  /** Getters for what a reload may change. */
  #readerOptions(): GroupReaderOptions {
    const worker = () => this.#setup.worker;
    const { group, session_timeout, rebalance_timeout, heartbeat_interval } = worker();
    const written = () => [...new Set(this.#setup.routes.map(({ topic }) => topic))];
    const forgotten = new ForgottenOffsets(this.#admin, group, written);
    return {
      groupId: group,
      get topics() {
        return topicsOf(worker());
      },
      eligible: () => true,
      sessionTimeout: session_timeout,
      rebalanceTimeout: rebalance_timeout,
      heartbeatInterval: heartbeat_interval,
      get fetchMaxBytes() {
        return worker().fetch_max_bytes;
      },
      get fetchMaxWait() {
        return worker().fetch_max_wait;
      },
      get queueBytes() {
        return worker().queue_bytes;
      },
      corrupt: new CorruptBatches(this.#admin, group, () => worker().on_corrupt_batch),
      forgotten: (partition, bounds) => forgotten.of(partition, bounds),
      consume: (partition) => this.#consume(partition),
    };
  }

  #consume(partition: AssignedPartition): Promise<void> {
    const size = new StepSize(this.#setup.worker.transaction_timeout);
    return runSessions<Publisher>(partition, {
      reader: this.#reader,
      log: this.#log,
      open: (owned) => this.#publishers.open(owned),
      close: (publisher) => publisher.close(),
      work: async (owned, publisher, progressed, { offset, note }) => {
        // Commits the start: the next owner must not meet the gap again, nor take the partition for an unread one.
        if (note === undefined) await publisher.publish({ records: [], nextOffset: offset });
        await this.#work(owned, publisher, size, progressed);
      },
      onGap: (gap) => {
        this.#metrics.offsetGaps.inc({ topic: gap.topic, reason: gap.reason }, gapRecords(gap));
        return this.#setup.worker.on_offset_gap;
      },
      onFailure: () => this.#metrics.transactions.inc({ result: 'failed' }),
      troubles: this.#troubles,
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
        const records = [corruptLetter(partition, 'decode', all.corrupt, this.#dead, Date.now())];
        const { nextOffset } = all;
        const publish = () => publisher.publish({ records, nextOffset });
        if (!(await this.#outputs.write(records, partition, publish))) return;
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
      const { routes } = this.#setup;
      const { output, publication, done, left } = this.#run(taken, size);
      const blocked = this.#outputs.blocking(publication.records, partition);
      if (blocked !== undefined) {
        partition.putBack(taken.records);
        lastMs = Number.NEGATIVE_INFINITY; // these records have waited already
        for (const { value } of output.records) release(value);
        // Its first records may not need the topic.
        if (done.length > 1) size.blocked(done.length);
        else await this.#outputs.wait(blocked, partition);
        continue;
      }
      if (left.length > 0) {
        partition.putBack(left);
        lastMs = Number.NEGATIVE_INFINITY; // these records have waited already
      }
      const started = monotonicMs();
      try {
        const publish = () => publisher.publish(publication);
        if (!(await this.#outputs.write(publication.records, partition, publish))) return;
      } catch (error) {
        throw size.failed(error, done, monotonicMs() - started, publication.records);
      }
      size.published();
      this.#gauges.committed(partition, publication.nextOffset);
      const publishSeconds = (monotonicMs() - started) / 1000;
      this.#events.published({ ...output, routes, topic: partition.topic, publishSeconds }, Date.now());
      // Free to reuse: the requests had copies of both, and are answered.
      for (const { value } of output.records) release(value);
      for (const { memory } of done) if (memory !== undefined) giveBack(memory);
      progressed();
    }
  }

  #run(taken: Taken, size: StepSize): StepResult {
    return orDefect(() =>
      runStep(taken, this.#pipeline!, Date.now(), {
        dead: this.#dead,
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

/** Output topics: those of the routes, and the dead-letter topic. */
function neededBy({ worker, routes }: Pick<WorkerSetup, 'worker' | 'routes'>): NeededTopic[] {
  const counts = new Map([[worker.dead_topic, 1]]);
  for (const { topic, count } of routes) counts.set(topic, Math.max(count, counts.get(topic) ?? 0));
  return [...counts].map(([topic, partitions]) => ({ topic, partitions }));
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
