import { isDeepStrictEqual } from 'node:util';
import type { OwnershipMethod } from '../../core/hash/ownership.ts';
import { errorMessage } from '../../core/model/errors.ts';
import type { PreparedChange } from '../../core/model/prepared-change.ts';
import type { OutgoingRecord } from '../../core/model/records.ts';
import type { TlsSettings } from '../../core/options/tls.ts';
import { type DeadTopic, encodeDeadLetter } from '../../core/record/dead-letter.ts';
import { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import { FatalKafkaError, isDefect, PartitionLostError } from '../../io/kafka/errors.ts';
import type { AssignedPartition, CorruptBatch } from '../../io/kafka/group/assigned-partition.ts';
import { CorruptBatches, corruptLetter } from '../../io/kafka/group/corrupt-batches.ts';
import { AgedPartitions } from '../../io/kafka/group/forgotten-offsets.ts';
import { GroupReader } from '../../io/kafka/group/group-reader.ts';
import { gapRecords, type OffsetGap, runSessions } from '../../io/kafka/group/partition-session.ts';
import type { FetchedRecord } from '../../io/kafka/partition-queue.ts';
import { PlainProducer } from '../../io/kafka/produce/plain-producer.ts';
import { OutputTopics } from '../../io/kafka/topic/output-topics.ts';
import type { NeededTopic, OutputTopic } from '../../io/kafka/topic/topic-look.ts';
import { assertNewUsable, isAbsent, unusableTopics } from '../../io/kafka/topic/topic-trouble.ts';
import { TopicTroubles } from '../../io/kafka/topic/topic-troubles.ts';
import { TopicWatch } from '../../io/kafka/topic/topic-watch.ts';
import { RemoteWriteClient, type RemoteWriteClientOptions } from '../../io/remote-write/client.ts';
import type { Refused } from '../../io/remote-write/deliver.ts';
import type { NodeLoginOptions } from '../../io/remote-write/login.ts';
import type { Readiness } from '../../io/telemetry/admin-server.ts';
import { GroupGauges } from '../../io/telemetry/group-gauges.ts';
import type { GroupWatch } from '../../io/telemetry/group-watch.ts';
import type { Logger } from '../../io/telemetry/log.ts';
import type { Metrics } from '../../io/telemetry/metrics.ts';
import { monotonicMs } from '../../io/time/clock.ts';
import { Backoff, sleep } from '../../io/time/sleep.ts';
import { type DrainRoute, drainGroupId, NodeAssignment } from './assignment.ts';
import { DrainEvents } from './events.ts';
import { Forwarder } from './forwarder.ts';
import { gathered } from './gathered.ts';
import { TopicGroups } from './group-standings.ts';
import type { DrainOptions } from './options.ts';
import { Takeover } from './takeover.ts';

/** Address and login of a node. */
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

const NO_RECORDS = { low: 0n, high: 0n };

/** One task topic: its own consumer group, so that a new route does not disturb the others. */
interface TopicReader {
  readonly reader: GroupReader;
  readonly gauges: GroupGauges;
}

/** Pauses between attempts to join the group of a topic that a reload has added. */
const JOIN_MIN_MS = 500;
const JOIN_MAX_MS = 10_000;
/** Most time to finish what is in flight when a topic is left: the node may be down, and have a part of a record. */
const LEAVE_MS = 24 * 3_600_000;

/**
 * The drain: the task partitions of one node ▸ remote write to that node.
 *
 * Each partition has one request in flight and commits after the answer, so a crash repeats at most one record
 * a partition. A partition that waits for the node does not hold up the others.
 */
export class Drain {
  /** The setup in force; a reload replaces it. */
  #setup: DrainSetup;
  #assignment: NodeAssignment;
  readonly #connection: KafkaConnection;
  readonly #admin: KafkaAdmin;
  readonly #client: RemoteWriteClient;
  readonly #deadProducer: PlainProducer;
  readonly #events: DrainEvents;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #topics = new Map<string, TopicReader>();
  /** Readers of topics that no route has any more: they finish what is in flight. */
  readonly #leaving = new Set<TopicReader>();
  readonly #failure = Promise.withResolvers<never>();
  readonly #stopping = new AbortController();
  #isJoining = false;
  readonly #troubles: TopicTroubles;
  readonly #outputs: OutputTopics;
  readonly #topicWatch: TopicWatch;

  constructor(connection: KafkaConnection, setup: DrainSetup, metrics: Metrics, log: Logger) {
    this.#setup = setup;
    this.#assignment = assignmentOf(setup);
    this.#connection = connection;
    this.#metrics = metrics;
    this.#log = log;
    this.#admin = new KafkaAdmin(connection);
    this.#deadProducer = new PlainProducer(connection);
    this.#client = new RemoteWriteClient(clientOptions(setup));
    const { node } = this.#assignment;
    const routeOf = (topic: string) => this.#assignment.routeOf(topic);
    this.#events = new DrainEvents(metrics, log, node, routeOf, () => this.#setup.drain.late_after);
    this.#troubles = new TopicTroubles(log);
    this.#outputs = new OutputTopics(this.#admin, this.#troubles);
    const owns = (topic: string, task: number) => this.#assignment.owns(topic, task, Date.now());
    this.#topicWatch = new TopicWatch(this.#admin, () => this.#assignment.topics, this.#troubles, owns);
    this.#failure.promise.catch(() => undefined);
    for (const topic of this.#assignment.topics) this.#open(topic);
  }

  /** Rejects when the drain cannot go on. */
  get failure(): Promise<never> {
    return this.#failure.promise;
  }

  /**
   * Checks the topics, then joins the groups. Faults of some of them do not stop it: their partitions wait.
   *
   * @throws FatalKafkaError when no task topic can be read
   */
  async start(): Promise<void> {
    let setup: DrainSetup;
    do {
      setup = this.#setup;
      const absent = [...(await this.#topicWatch.look()).values()].filter(isAbsent);
      const { topics } = this.#assignment;
      if (topics.length > 0 && absent.length === topics.length) throw unusableTopics(absent);
      this.#outputs.use(neededBy(setup), await this.#outputs.look(neededBy(setup)));
    } while (setup !== this.#setup); // a reload came in between
    this.#tellTasks();
    this.#isJoining = true;
    // Waits for all: readers that have joined go on running when the start is tried again.
    const started = await Promise.allSettled([...this.#topics.values()].map(({ reader }) => reader.start()));
    for (const each of started) if (each.status === 'rejected') throw each.reason;
    for (const { gauges } of this.#topics.values()) gauges.start();
    this.#topicWatch.start();
    this.#setup.watch?.start(() =>
      [...this.#topics.values()].map(({ reader }) => reader.memberId).filter((id) => id !== undefined),
    );
  }

  /**
   * Prepares a reload, for the same node. Groups of new topics are joined, groups of topics that no route has any more
   * are left; partitions of tasks that go to other nodes are handed over as after a restart.
   *
   * @throws FatalKafkaError when a new topic cannot be used, ConfigError when a certificate cannot be used
   */
  async prepare(setup: DrainSetup): Promise<PreparedChange> {
    const isSameAccess = isDeepStrictEqual(clientOptions(setup), clientOptions(this.#setup));
    const access = isSameAccess ? undefined : this.#client.prepare(clientOptions(setup));
    try {
      const found = await this.#newTopics(setup);
      return {
        commit: () => {
          access?.commit();
          this.#commit(setup, found);
        },
        discard: () => access?.discard(),
      };
    } catch (error) {
      access?.discard();
      throw error;
    }
  }

  #commit(setup: DrainSetup, found: ReadonlyMap<string, OutputTopic>): void {
    const before = this.#setup;
    this.#setup = setup;
    this.#outputs.use(neededBy(setup), found);
    this.#assignment = assignmentOf(setup);
    const isSameOwnership = isDeepStrictEqual(ownershipOf(setup), ownershipOf(before));
    const topics = new Set(this.#assignment.topics);
    for (const [topic, each] of this.#topics) {
      if (!topics.has(topic)) this.#leave(topic, each);
      else if (!isSameOwnership) each.reader.subscriptionChanged();
    }
    for (const topic of topics) {
      if (this.#topics.has(topic)) continue;
      const added = this.#open(topic);
      if (this.#isJoining) void this.#join(added);
    }
    this.#tellTasks();
  }

  #open(topic: string): TopicReader {
    const opened = this.#topicReader(topic);
    opened.reader.failure.catch((error) => this.#failure.reject(error));
    this.#topics.set(topic, opened);
    this.#metrics.beginDrain(this.#assignment.node, [{ topic, route: this.#assignment.routeOf(topic) }]);
    return opened;
  }

  /** Joins the group of a topic that a reload has added. */
  async #join({ reader, gauges }: TopicReader): Promise<void> {
    const backoff = new Backoff(JOIN_MIN_MS, JOIN_MAX_MS);
    while (!this.#stopping.signal.aborted) {
      try {
        await reader.start();
        gauges.start();
        return;
      } catch (error) {
        if (error instanceof FatalKafkaError || isDefect(error)) return this.#failure.reject(error);
        const retryInMs = Math.round(backoff.next());
        this.#log.warn({ error: errorMessage(error), retryInMs }, 'a group cannot be joined; trying again');
        await sleep(retryInMs, this.#stopping.signal);
      }
    }
  }

  #leave(topic: string, left: TopicReader): void {
    this.#topics.delete(topic);
    this.#leaving.add(left);
    left.gauges.stop();
    this.#log.info(
      { topic },
      'no route has this topic any more: its partitions are finished, its group is left',
    );
    void left.reader.stop(monotonicMs() + LEAVE_MS).finally(() => this.#leaving.delete(left));
  }

  /**
   * Checks the topics of another setup. @returns the output topics. @throws FatalKafkaError for an unusable new topic
   */
  async #newTopics(setup: DrainSetup): Promise<ReadonlyMap<string, OutputTopic>> {
    const { routes } = setup;
    const [found, read] = await Promise.all([
      this.#outputs.look(neededBy(setup)),
      this.#outputs.look(routes.map(({ topic, count }) => ({ topic, partitions: count }))),
    ]);
    const used = new Set([this.#setup.deadTopic, ...this.#setup.routes.map(({ topic }) => topic)]);
    assertNewUsable([...read, ...found], used);
    return found;
  }

  #tellTasks(): void {
    const { drainTasks } = this.#metrics;
    drainTasks.reset();
    for (const [route, tasks] of this.#assignment.tasks(Date.now())) {
      drainTasks.set({ node: this.#assignment.node, route }, tasks.length);
    }
  }

  /** Waits for the requests in flight, commits, leaves the groups. @returns number of partitions cut off */
  async stop(deadline: number): Promise<number> {
    this.#stopping.abort();
    this.#topicWatch.stop();
    const left = await Promise.all(
      [...this.#topics.values(), ...this.#leaving].map(({ reader, gauges }) => {
        gauges.stop();
        return reader.stop(deadline);
      }),
    );
    this.#outputs.close();
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
      [...this.#topics.values()].map(({ gauges }) => gauges),
      this.#metrics,
    );
    this.#setup.watch?.collect();
    this.#metrics.showTroubles(this.#troubles.current);
  }

  readiness(): Readiness {
    for (const { gauges } of this.#topics.values()) {
      const state = gauges.readiness();
      if (!state.ready) return state;
    }
    return { ready: true };
  }

  status(): object {
    return {
      node: this.#assignment.node,
      tasks: Object.fromEntries(this.#assignment.tasks(Date.now())),
      partitions: [...this.#topics.values()].flatMap(({ gauges }) => gauges.partitions()),
      topic_troubles: this.#troubles.current,
    };
  }

  /** Getters for what a reload may change. */
  #topicReader(topic: string): TopicReader {
    const drain = () => this.#setup.drain;
    const topicCount = () => Math.max(1, this.#topics.size);
    const groupId = drainGroupId(topic, this.#assignment.node);
    const { session_timeout, rebalance_timeout, heartbeat_interval } = drain();
    const reader: GroupReader = new GroupReader(
      this.#connection,
      this.#admin,
      {
        groupId,
        topics: [topic],
        eligible: (name, partition) => this.#assignment.owns(name, partition, Date.now()),
        sessionTimeout: session_timeout,
        rebalanceTimeout: rebalance_timeout,
        heartbeatInterval: heartbeat_interval,
        get fetchMaxBytes() {
          return drain().fetch_max_bytes;
        },
        get fetchMaxWait() {
          return drain().fetch_max_wait;
        },
        get queueBytes() {
          return drain().queue_bytes / topicCount();
        },
        corrupt: new CorruptBatches(this.#admin, groupId, () => drain().on_corrupt_batch),
        consume: (partition) => this.#consume(reader, gauges, takeover, partition),
      },
      this.#log,
    );
    const gauges = new GroupGauges(reader, this.#admin, this.#metrics, groupId);
    const takeover = this.#takeover(topic, groupId, reader, gauges);
    return { reader, gauges };
  }

  #takeover(topic: string, group: string, reader: GroupReader, gauges: GroupGauges): Takeover {
    const aged = new AgedPartitions(this.#admin);
    const groups = () => this.#setup.nodes.map(({ name }) => drainGroupId(topic, name));
    return new Takeover({
      group,
      reader,
      groups: new TopicGroups(this.#admin, topic, groups),
      bounds: async ({ partition }) =>
        (await this.#admin.offsetBounds(topic, [partition])).get(partition) ?? NO_RECORDS,
      isOld: ({ partition }, bounds) => aged.isOld(topic, partition, bounds),
      onGap: (gap) => this.#onGap(gap),
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
    const setup = () => this.#setup;
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
          get backoffMinMs() {
            return setup().drain.backoff_min;
          },
          get backoffMaxMs() {
            return setup().drain.backoff_max;
          },
          get tenantHeaders() {
            return setup().tenantHeaders;
          },
          turn,
          writeDeadLetters: (record, refused) => this.#writeDeadLetters(owned, record, refused),
          setAside: (batch) => this.#setAside(owned, batch),
          committed: (held, offset) => gauges.committed(held, offset),
        });
        await forwarder.run(progressed);
      },
      onGap: (gap) => this.#onGap(gap),
      onFailure: () => undefined,
      troubles: this.#troubles,
    });
  }

  #onGap(gap: OffsetGap): 'continue' | 'stop' {
    this.#metrics.offsetGaps.inc({ topic: gap.topic, reason: gap.reason }, gapRecords(gap));
    return this.#setup.drain.on_offset_gap;
  }

  async #setAside(partition: AssignedPartition, batch: CorruptBatch): Promise<void> {
    await this.#write(partition, [corruptLetter(partition, 'deliver', batch, this.#dead, Date.now())]);
    this.#events.setAside(partition, batch);
  }

  async #writeDeadLetters(
    partition: AssignedPartition,
    record: FetchedRecord,
    refused: readonly Refused[],
  ): Promise<void> {
    const letters = gathered(refused).map(({ body, error: { stage, reason, message } }) =>
      encodeDeadLetter(
        { source: record, stage, reason, message, value: body, headers: record.headers },
        this.#dead,
        Date.now(),
      ),
    );
    await this.#write(partition, letters);
    this.#events.refused(record, refused);
  }

  /** @throws TopicTroubleError if the letters cannot be written, PartitionLostError if the partition ends first */
  async #write(partition: AssignedPartition, letters: readonly OutgoingRecord[]): Promise<void> {
    const isWritten = await this.#outputs.write(letters, partition, () => this.#deadProducer.send(letters));
    if (!isWritten) throw new PartitionLostError('the partition ended before its dead letters were written');
  }

  get #dead(): DeadTopic {
    return this.#outputs.deadTopic(this.#setup.deadTopic);
  }
}

/** The part of a setup that decides which node has which tasks. */
function ownershipOf({ routes, nodes, ownership }: DrainSetup) {
  return {
    routes: routes.map(({ topic, count }) => ({ topic, count })),
    nodes: nodes.map(({ name }) => name),
    ownership,
  };
}

function assignmentOf({ routes, nodes, ownership, drain }: DrainSetup): NodeAssignment {
  const names = nodes.map(({ name }) => name);
  return new NodeAssignment(routes, names, drain.node, ownership);
}

function clientOptions({ drain, nodes, userAgent }: DrainSetup): RemoteWriteClientOptions {
  const node = nodes.find(({ name }) => name === drain.node)!;
  return { url: node.url, timeoutMs: drain.request_timeout, userAgent, login: loginOf(node), tls: node.tls };
}

function loginOf({ basic_auth, bearer_token, bearer_token_file }: DrainNode): NodeLoginOptions {
  return { basic_auth, bearer_token, bearer_token_file };
}

function neededBy({ deadTopic }: DrainSetup): NeededTopic[] {
  return [{ topic: deadTopic, partitions: 1 }];
}
