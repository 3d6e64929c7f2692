import { isDeepStrictEqual } from 'node:util';
import type { PreparedChange } from '../../core/model/prepared-change.ts';
import type { OutgoingRecord } from '../../core/model/records.ts';
import { encodeDeadLetter } from '../../core/record/dead-letter.ts';
import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import { PartitionLostError } from '../../io/kafka/errors.ts';
import type { AssignedPartition, CorruptBatch } from '../../io/kafka/group/assigned-partition.ts';
import { AgedPartitions } from '../../io/kafka/group/forgotten-offsets.ts';
import { type ServiceGroup, ServiceGroups } from '../../io/kafka/group/service-groups.ts';
import type { FetchedRecord } from '../../io/kafka/partition-queue.ts';
import { PlainProducer } from '../../io/kafka/produce/plain-producer.ts';
import type { OutputTopic } from '../../io/kafka/topic/topic-look.ts';
import { RemoteWriteClient } from '../../io/remote-write/client.ts';
import type { Refused } from '../../io/remote-write/deliver.ts';
import type { Readiness } from '../../io/telemetry/admin-server.ts';
import type { Logger } from '../../io/telemetry/log.ts';
import type { Metrics } from '../../io/telemetry/metrics.ts';
import { epochMs } from '../../io/time/clock.ts';
import { drainGroupId, type NodeAssignment } from './assignment.ts';
import { DrainEvents } from './events.ts';
import { Forwarder } from './forwarder.ts';
import { gathered } from './gathered.ts';
import { TopicGroups } from './group-standings.ts';
import { assignmentOf, clientOptions, type DrainSetup, ownershipOf, usedBy } from './setup.ts';
import { Takeover } from './takeover.ts';
import { parseHandover } from './turn.ts';

const NO_RECORDS = { low: 0n, high: 0n };

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
  /** The consumer groups, one for each task topic: so a new route does not disturb the others. */
  readonly #groups: ServiceGroups;
  readonly #byTopic = new Map<string, ServiceGroup>();
  readonly #client: RemoteWriteClient;
  readonly #deadProducer: PlainProducer;
  readonly #events: DrainEvents;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #systemMs: () => number;

  constructor(
    connection: KafkaConnection,
    setup: DrainSetup,
    metrics: Metrics,
    log: Logger,
    systemMs: () => number = epochMs,
  ) {
    this.#setup = setup;
    this.#assignment = assignmentOf(setup);
    this.#metrics = metrics;
    this.#log = log;
    this.#systemMs = systemMs;
    this.#deadProducer = new PlainProducer(connection);
    this.#client = new RemoteWriteClient(clientOptions(setup), systemMs);
    const { node } = this.#assignment;
    const routeOf = (topic: string) => this.#assignment.routeOf(topic);
    this.#events = new DrainEvents(metrics, log, node, routeOf, () => this.#setup.drain.late_after);
    this.#groups = new ServiceGroups(connection, {
      settings: () => this.#setup.drain,
      topics: usedBy(setup),
      reads: (topic, task) => this.#owns(topic, task),
      stage: 'deliver',
      watch: setup.watch,
      metrics,
      log,
      systemMs,
    });
    for (const topic of this.#assignment.topics) this.#open(topic);
  }

  /** Rejects when the drain cannot go on. */
  get failure(): Promise<never> {
    return this.#groups.failure;
  }

  /**
   * Checks the topics, then joins the groups. Faults of some of them do not stop it: their partitions wait.
   *
   * @throws FatalKafkaError when no task topic can be read
   */
  async start(): Promise<void> {
    await this.#groups.topics.check();
    this.#tellTasks();
    await this.#groups.join();
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
      const { topics } = this.#groups;
      const tasks = setup.routes.map(({ topic, count }) => ({ topic, partitions: count }));
      const found = await topics.look(usedBy(setup), topics.outputs.look(tasks));
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
    this.#groups.topics.use(usedBy(setup), found);
    this.#assignment = assignmentOf(setup);
    const isSameOwnership = isDeepStrictEqual(ownershipOf(setup), ownershipOf(before));
    const topics = new Set(this.#assignment.topics);
    for (const [topic, group] of this.#byTopic) {
      if (!topics.has(topic)) this.#leave(topic, group);
      else if (!isSameOwnership) group.reader.subscriptionChanged();
    }
    for (const topic of topics) if (!this.#byTopic.has(topic)) this.#open(topic);
    this.#tellTasks();
  }

  #owns(topic: string, task: number): boolean {
    return this.#assignment.owns(topic, task, this.#systemMs());
  }

  /** Adds the group of a task topic. */
  #open(topic: string): void {
    const groupId = drainGroupId(topic, this.#assignment.node);
    const group = this.#groups.open({
      groupId,
      topics: [topic],
      eligible: (name, partition) => this.#owns(name, partition),
      consume: (partition) => this.#consume(partition, group, takeover),
    });
    const takeover = this.#takeover(topic, groupId, group);
    this.#byTopic.set(topic, group);
    this.#metrics.beginDrain(this.#assignment.node, [{ topic, route: this.#assignment.routeOf(topic) }]);
  }

  #leave(topic: string, group: ServiceGroup): void {
    this.#byTopic.delete(topic);
    this.#log.info(
      { topic },
      'no route has this topic any more: its partitions are finished, its group is left',
    );
    this.#groups.leave(group);
  }

  #tellTasks(): void {
    const { drainTasks } = this.#metrics;
    drainTasks.reset();
    for (const [route, tasks] of this.#assignment.tasks(this.#systemMs())) {
      drainTasks.set({ node: this.#assignment.node, route }, tasks.length);
    }
  }

  /** Waits for the requests in flight, commits, leaves the groups. @returns number of partitions cut off */
  async stop(deadline: number): Promise<number> {
    const left = await this.#groups.finish(deadline);
    await Promise.allSettled([this.#client.close(), this.#deadProducer.close(), this.#groups.close()]);
    return left;
  }

  /** Brings gauges up to date before a scrape. */
  collect(): void {
    this.#groups.collect();
  }

  readiness(): Readiness {
    return this.#groups.readiness();
  }

  status(): object {
    return {
      node: this.#assignment.node,
      tasks: Object.fromEntries(this.#assignment.tasks(this.#systemMs())),
      partitions: this.#groups.partitions(),
      topic_troubles: this.#groups.topics.troubles.current,
    };
  }

  #takeover(topic: string, groupId: string, { reader, gauges }: ServiceGroup): Takeover {
    const { admin } = this.#groups;
    const aged = new AgedPartitions(admin, this.#systemMs);
    const groups = () => this.#setup.nodes.map(({ name }) => drainGroupId(topic, name));
    return new Takeover({
      group: groupId,
      reader,
      groups: new TopicGroups(admin, topic, groups),
      bounds: async ({ partition }) =>
        (await admin.offsetBounds(topic, [partition])).get(partition) ?? NO_RECORDS,
      isOld: ({ partition }, bounds) => aged.isOld(topic, partition, bounds),
      onGap: (gap) => this.#groups.gap(gap),
      begun: (partition) => gauges.begun(partition),
      metrics: this.#metrics,
      log: this.#log,
    });
  }

  #consume(partition: AssignedPartition, group: ServiceGroup, takeover: Takeover): Promise<void> {
    const { reader, gauges } = group;
    const setup = () => this.#setup;
    return this.#groups.work<number>(partition, group, {
      open: (owned) => takeover.settle(owned),
      close: async () => undefined,
      work: async (owned, turn, progressed, start) => {
        const from = { offset: start.offset, handover: parseHandover(start.note) };
        const forwarder = new Forwarder(owned, from, {
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
          systemMs: this.#systemMs,
        });
        await forwarder.run(progressed);
      },
      onFailure: () => undefined,
    });
  }

  async #setAside(partition: AssignedPartition, batch: CorruptBatch): Promise<void> {
    await this.#write(partition, [this.#groups.corruptLetter(partition, batch)]);
    this.#groups.passedOver(partition, batch);
  }

  async #writeDeadLetters(
    partition: AssignedPartition,
    record: FetchedRecord,
    refused: readonly Refused[],
  ): Promise<void> {
    const letters = gathered(refused).map(({ body, error: { stage, reason, message } }) =>
      encodeDeadLetter(
        { source: record, stage, reason, message, value: body, headers: record.headers },
        this.#groups.topics.dead,
        this.#systemMs(),
      ),
    );
    await this.#write(partition, letters);
    this.#events.refused(record, refused);
  }

  /** @throws TopicTroubleError if the letters cannot be written, PartitionLostError if the partition ends first */
  async #write(partition: AssignedPartition, letters: readonly OutgoingRecord[]): Promise<void> {
    const isWritten = await this.#groups.topics.outputs.write(letters, partition, () =>
      this.#deadProducer.send(letters),
    );
    if (!isWritten) throw new PartitionLostError('the partition ended before its dead letters were written');
  }
}
