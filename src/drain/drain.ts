import type { OwnershipMethod } from '../hash/ownership.ts';
import { KafkaAdmin } from '../kafka/admin.ts';
import type { AssignedPartition, CorruptBatch } from '../kafka/assigned-partition.ts';
import type { KafkaConnection } from '../kafka/client.ts';
import { CorruptBatches } from '../kafka/corrupt-batches.ts';
import { corruptLetter } from '../kafka/corrupt-letter.ts';
import { type DeadTopic, deadRecord } from '../kafka/dead-record.ts';
import { GroupReader } from '../kafka/group-reader.ts';
import type { FetchedRecord } from '../kafka/partition-queue.ts';
import { runSessions } from '../kafka/partition-session.ts';
import { PlainProducer } from '../kafka/plain-producer.ts';
import type { Readiness } from '../telemetry/admin-server.ts';
import { GroupGauges } from '../telemetry/group-gauges.ts';
import type { GroupWatch } from '../telemetry/group-watch.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { TlsSettings } from '../tls-options.ts';
import { type DrainRoute, drainGroupId, NodeAssignment } from './assignment.ts';
import type { Refused } from './deliver.ts';
import { DrainEvents } from './events.ts';
import { Forwarder } from './forwarder.ts';
import { gathered } from './gathered.ts';
import { TopicGroups } from './group-standings.ts';
import type { NodeLoginOptions } from './node-login.ts';
import type { DrainOptions } from './options.ts';
import { RemoteWriteClient } from './remote-write-client.ts';
import { Takeover } from './takeover.ts';

/** Where a node is, and how to log in there. */
export interface DrainNode extends NodeLoginOptions {
  readonly name: string;
  readonly url: string;
  readonly tls?: TlsSettings | undefined;
}

export interface DrainSetup {
  readonly drain: DrainOptions;
  readonly routes: readonly DrainRoute[];
  readonly nodes: readonly DrainNode[];
  readonly ownership: OwnershipMethod;
  readonly deadTopic: string;
  /** Record headers that go to the node as HTTP headers. */
  readonly tenantHeaders: readonly string[];
  readonly userAgent: string;
  readonly watch?: GroupWatch;
}

/** One task topic: its own consumer group, so that a new route does not disturb the others. */
interface TopicReader {
  readonly reader: GroupReader;
  readonly gauges: GroupGauges;
}

/**
 * The drain: the task partitions of one node ▸ remote write to that node.
 *
 * Each partition has one request in flight and commits after the answer, so a crash repeats at most one record
 * a partition. A partition that waits for the node does not hold up the others.
 */
export class Drain {
  readonly #setup: DrainSetup;
  readonly #admin: KafkaAdmin;
  readonly #assignment: NodeAssignment;
  readonly #client: RemoteWriteClient;
  readonly #deadProducer: PlainProducer;
  readonly #events: DrainEvents;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #topics: readonly TopicReader[];
  #dead: DeadTopic | undefined;

  constructor(connection: KafkaConnection, setup: DrainSetup, metrics: Metrics, log: Logger) {
    const { drain, nodes } = setup;
    const node = nodes.find(({ name }) => name === drain.node)!;
    this.#setup = setup;
    this.#metrics = metrics;
    this.#log = log;
    this.#admin = new KafkaAdmin(connection);
    this.#deadProducer = new PlainProducer(connection);
    this.#assignment = new NodeAssignment(
      setup.routes,
      nodes.map(({ name }) => name),
      node.name,
      setup.ownership,
    );
    this.#client = new RemoteWriteClient({
      url: node.url,
      timeoutMs: drain.request_timeout,
      userAgent: setup.userAgent,
      login: node,
      tls: node.tls,
    });
    const routeOf = (topic: string) => this.#assignment.routeOf(topic);
    this.#events = new DrainEvents(metrics, log, node.name, routeOf, drain.late_after);
    metrics.beginDrain(
      node.name,
      this.#assignment.topics.map((topic) => ({ topic, route: routeOf(topic) })),
    );
    this.#topics = this.#assignment.topics.map((topic) => this.#topicReader(connection, topic));
  }

  /** Rejects when the drain cannot go on. */
  get failure(): Promise<never> {
    return Promise.race(this.#topics.map(({ reader }) => reader.failure));
  }

  /** Checks the topics, then joins the groups. @throws KafkaSetupError when a topic is missing or too small. */
  async start(): Promise<void> {
    const { routes, deadTopic } = this.#setup;
    await this.#admin.requireTopics(
      new Map([[deadTopic, 1], ...routes.map(({ topic, count }) => [topic, count] as const)]),
    );
    const maxBytes = await this.#admin.maxMessageBytes([deadTopic]);
    const counts = await this.#admin.partitionCounts([deadTopic]);
    this.#dead = {
      topic: deadTopic,
      partitions: counts.get(deadTopic)!,
      maxMessageBytes: maxBytes.get(deadTopic)!,
    };
    for (const [route, tasks] of this.#assignment.tasks(Date.now())) {
      this.#metrics.drainTasks.set({ node: this.#assignment.node, route }, tasks.length);
    }
    // Those that have joined are running when it is tried again.
    const started = await Promise.allSettled(this.#topics.map(({ reader }) => reader.start()));
    for (const each of started) if (each.status === 'rejected') throw each.reason;
    for (const { gauges } of this.#topics) gauges.start();
    this.#setup.watch?.start(() =>
      this.#topics.map(({ reader }) => reader.memberId).filter((id) => id !== undefined),
    );
  }

  /** Waits for the requests in flight, commits, leaves the groups. @returns how many partitions were cut off. */
  async stop(deadline: number): Promise<number> {
    const left = await Promise.all(
      this.#topics.map(({ reader, gauges }) => {
        gauges.stop();
        return reader.stop(deadline);
      }),
    );
    await Promise.allSettled([
      this.#client.close(),
      this.#deadProducer.close(),
      this.#admin.close(),
      this.#setup.watch?.stop(),
    ]);
    return left.flat().length;
  }

  /** Brings gauges up to date before a scrape. */
  collect(): void {
    GroupGauges.collect(
      this.#topics.map(({ gauges }) => gauges),
      this.#metrics,
    );
    this.#setup.watch?.collect();
  }

  readiness(): Readiness {
    for (const { gauges } of this.#topics) {
      const state = gauges.readiness();
      if (!state.ready) return state;
    }
    return { ready: true };
  }

  status(): object {
    return {
      node: this.#assignment.node,
      tasks: Object.fromEntries(this.#assignment.tasks(Date.now())),
      partitions: this.#topics.flatMap(({ gauges }) => gauges.partitions()),
    };
  }

  #topicReader(connection: KafkaConnection, topic: string): TopicReader {
    const { drain } = this.#setup;
    const groupId = drainGroupId(topic, this.#assignment.node);
    const reader: GroupReader = new GroupReader(
      connection,
      this.#admin,
      {
        groupId,
        topics: [topic],
        eligible: (name, partition) => this.#assignment.owns(name, partition, Date.now()),
        sessionTimeout: drain.session_timeout,
        rebalanceTimeout: drain.rebalance_timeout,
        heartbeatInterval: drain.heartbeat_interval,
        fetchMaxBytes: drain.fetch_max_bytes,
        fetchMaxWait: drain.fetch_max_wait,
        queueBytes: drain.queue_bytes / this.#assignment.topics.length,
        corrupt: new CorruptBatches(this.#admin, groupId, drain.on_corrupt_batch),
        consume: (partition) => this.#consume(reader, gauges, takeover, partition),
      },
      this.#log,
    );
    const gauges = new GroupGauges(reader, this.#admin, this.#metrics, groupId);
    const takeover = this.#takeover(topic, groupId, reader, gauges);
    return { reader, gauges };
  }

  #takeover(topic: string, group: string, reader: GroupReader, gauges: GroupGauges): Takeover {
    const groups = this.#setup.nodes.map(({ name }) => drainGroupId(topic, name));
    return new Takeover({
      group,
      reader,
      groups: new TopicGroups(this.#admin, topic, groups),
      lowest: async ({ partition }) => (await this.#admin.offsetBounds(topic)).get(partition)?.low ?? 0n,
      begun: (partition) => gauges.begun(partition),
      metrics: this.#metrics,
      log: this.#log,
    });
  }

  #consume(
    reader: GroupReader,
    gauges: GroupGauges,
    takeover: Takeover,
    partition: AssignedPartition,
  ): Promise<void> {
    const { drain, tenantHeaders } = this.#setup;
    return runSessions<number>(partition, {
      reader,
      log: this.#log,
      open: (owned) => takeover.settle(owned),
      close: async () => undefined,
      work: async (owned, turn, progressed, start) => {
        const forwarder = new Forwarder(owned, start, {
          reader,
          client: this.#client,
          events: this.#events,
          backoffMinMs: drain.backoff_min,
          backoffMaxMs: drain.backoff_max,
          tenantHeaders,
          turn,
          bury: (record, refused) => this.#bury(record, refused),
          setAside: (batch) => this.#setAside(owned, batch),
          committed: (held, offset) => gauges.committed(held, offset),
        });
        await forwarder.run(progressed);
      },
      onGap: (gap) => {
        this.#metrics.offsetGaps.inc({ topic: gap.topic, reason: gap.reason }, Number(gap.to - gap.from));
        return drain.on_offset_gap;
      },
      onFailure: () => undefined,
    });
  }

  async #setAside(partition: AssignedPartition, batch: CorruptBatch): Promise<void> {
    await this.#deadProducer.send([corruptLetter(partition, 'deliver', batch, this.#dead!, Date.now())]);
    this.#events.setAside(partition, batch);
  }

  async #bury(record: FetchedRecord, refused: readonly Refused[]): Promise<void> {
    const letters = gathered(refused).map(({ body, error: { stage, reason, message } }) =>
      deadRecord(
        { source: record, stage, reason, message, value: body, headers: record.headers },
        this.#dead!,
        Date.now(),
      ),
    );
    await this.#deadProducer.send(letters);
    this.#events.refused(record, refused);
  }
}
