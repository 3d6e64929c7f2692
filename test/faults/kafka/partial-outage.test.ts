import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { KafkaAdmin } from '../../../src/io/kafka/admin/admin.ts';
import { BRIEF, type KafkaConnection } from '../../../src/io/kafka/client/connection.ts';
import { UnsettledTransactionError } from '../../../src/io/kafka/patch/coordinators.ts';
import { BatchLimit } from '../../../src/io/kafka/produce/send-rounds.ts';
import { TransactionalProducer } from '../../../src/io/kafka/produce/transactional-producer.ts';
import { TopicTroubleError } from '../../../src/io/kafka/topic/topic-trouble.ts';
import { drainGroupId } from '../../../src/services/drain/assignment.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { uniqueName } from '../../lab/names.ts';
import { NodeReceiver, numberedBody } from '../../lab/nodes/node-receiver.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests, closing } from '../../support/closing.ts';
import { readCoordinators } from '../../support/coordinators.ts';
import { CopyingWorker, stopCopyingWorkers } from '../../support/copying-worker.ts';
import { connect, NumberSource, SILENT, TestKafka } from '../../support/kafka-data.ts';

/** Longer than an answer is waited for. */
const FROZEN_MS = 40_000;
const PARTITIONS = 3;

const cluster = await startKafka({ brokers: 3, name: 'partial-outage' });
closeAfterTests({ close: stopCopyingWorkers }, cluster);

describe('what works while a part of the cluster does not', () => {
  async function setup(kafka: TestKafka, replicas: number) {
    const input = await kafka.createTopic('in', PARTITIONS, { replicas });
    const output = await kafka.createTopic('out', PARTITIONS);
    return { brokers: cluster.brokers, groupId: uniqueName('outage'), input, output };
  }

  test('a broker that is frozen, first in the list: all that opens meanwhile, then and afterwards', async () => {
    await using kafka = new TestKafka(cluster.brokers);
    const topics = await setup(kafka, -1);
    const source = new NumberSource(kafka, topics.input, PARTITIONS).start();
    const workers = [await new CopyingWorker(topics).start()];
    await work(workers);
    cluster.node(0).pause();
    const frozenMs = Date.now();
    // Each asks another broker first, so one of them asks the frozen one.
    const connection = connect(cluster.brokers, SILENT, { connection_timeout: '2s' });
    const admins = cluster.brokers.map(() => new KafkaAdmin(connection));
    try {
      await Promise.all(admins.map((admin) => answers(admin, topics.input)));
      await Promise.all(cluster.brokers.map(() => opens(connection)));
      workers.push(await new CopyingWorker(topics).start());
      await work(workers);
      await sleep(Math.max(0, frozenMs + FROZEN_MS - Date.now()));
      await Promise.all(admins.map((admin) => answers(admin, topics.input)));
    } finally {
      cluster.node(0).resume();
    }
    await work(workers);
    await Promise.all(admins.map((admin) => answers(admin, topics.input)));
    await Promise.all(admins.map((admin) => admin.close()));
    await source.stop();
    await copied(kafka, topics);
    for (const worker of workers) assert.deepEqual(await worker.stop(), []);
    const input = await kafka.readAll(topics.input, PARTITIONS);
    assert.deepEqual(await kafka.readAll(topics.output, PARTITIONS), input);
  });

  test('a partition whose only replica is away: the others of its topic', async () => {
    await using kafka = new TestKafka(cluster.brokers);
    const topics = await setup(kafka, 1);
    const taken = Array.from({ length: PARTITIONS }, () => 0);
    const worker = await new CopyingWorker(topics, {
      delivery: 'at_least_once',
      transform: ({ records }, { partition }) => {
        taken[partition]! += records.length;
        return [];
      },
    }).start();
    const produced = Array.from({ length: PARTITIONS }, () => 0);
    const brings = async (partition: number) => {
      await using fresh = new TestKafka(cluster.brokers);
      await fresh.produce(topics.input, partition, ['a', 'b']);
      produced[partition]! += 2;
      const late = () => new Error(`of partition ${partition} ${taken[partition]} records came`);
      await poll(() => taken[partition] === produced[partition], {}, late);
    };
    for (let partition = 0; partition < PARTITIONS; partition += 1) await brings(partition);
    const leaders = (await leadersOf(kafka, [topics.input])).get(topics.input)!;
    const gone = leaders[0]!;
    await cluster.node(gone - 1).kill();
    await sleep(4_000); // beyond the broker's session
    const led = [...leaders.keys()].filter((id) => leaders[id] !== gone);
    assert.ok(led.length > 0);
    for (const partition of led) await brings(partition);
    // One that begins now begins with what it can have.
    const group = { ...topics, groupId: uniqueName('fresh') };
    const fresh = await new CopyingWorker(group).start();
    await reads(group, led);
    await poll(
      () => fresh.failures.some(isLeaderless),
      {},
      () => new Error(`it does not say what it waits for: ${fresh.failures.map(String)}`),
    );
    await cluster.node(gone - 1).start();
    await brings(0);
    await reads(group, [0, ...led]);
    assert.deepEqual(await fresh.stop(), []);
    assert.deepEqual(await worker.stop(), []);
  });

  test('a partition whose only replica is away: a worker and a drain that have never read begin beside it', async () => {
    await using kafka = new TestKafka(cluster.brokers);
    const input = await kafka.createTopic('in', PARTITIONS, { replicas: 1 });
    const tasks = await kafka.createTopic('tasks', PARTITIONS, { replicas: 1 });
    for (let id = 0; id < PARTITIONS; id += 1)
      for (const topic of [input, tasks]) await kafka.produce(topic, id, [numberedBody(id, 0)]);
    const receiver = await NodeReceiver.open(0);
    await using _receiver = closing({ close: async () => receiver.close() });
    const setup = {
      brokers: cluster.brokers,
      replicas: 3,
      nodes: [{ name: 'n0', url: receiver.url }],
    };
    const route = { name: 'all', task: { labels: ['record'], count: PARTITIONS } };
    await using working = closing(await Deployment.create({ ...setup, routes: [route] }));
    await using draining = closing(
      await Deployment.create({ ...setup, routes: [{ ...route, topic: tasks }] }),
    );
    const { group, dead } = working;
    working.reconfigure({ worker: { topic: input, group, dead_topic: dead, encoding: 'remote_write_v1' } });
    const leaders = await leadersOf(kafka, [input, tasks]);
    const [gone] = leaders.get(input)!;
    const led = (topic: string) =>
      [...leaders.get(topic)!.keys()].filter((id) => leaders.get(topic)![id] !== gone);
    await cluster.node(gone! - 1).kill();
    await sleep(4_000); // beyond the broker's session
    await working.launch(['worker']);
    await draining.launch(['drain'], { PENSTOCK_DRAIN_NODE: 'n0' });
    await reads({ groupId: group, input }, led(input));
    await reads({ groupId: drainGroupId(tasks, 'n0'), input: tasks }, led(tasks));
    assert.deepEqual([...receiver.taken.keys()].sort(), led(tasks));
    await cluster.node(gone! - 1).start();
    const all = Array.from({ length: PARTITIONS }, (_, id) => id);
    await reads({ groupId: group, input }, all);
    await reads({ groupId: drainGroupId(tasks, 'n0'), input: tasks }, all);
    assert.equal(receiver.count, PARTITIONS);
  });

  test('a transaction that cannot end: whoever opens its id waits, and is told whom for and what to look for', async () => {
    await using kafka = new TestKafka(cluster.brokers);
    const topic = await kafka.createTopic('out', 1, { replicas: 1 });
    await opens(kafka.connection); // from then on there are coordinators of transactions
    const metadata = await (await kafka.admin.client()).fetchTopicMetadata({ topics: [topic] });
    const leader = metadata.topics[0]!.partitions[0]!.leader - 1;
    const { transactionalId, coordinator } = await coordinatedElsewhere(kafka, leader);
    // Longer than it takes to give up a replica that was the controller too.
    const producer = connect(cluster.brokers, SILENT, { request_timeout: '30s' })
      .instance(BRIEF)
      .producer({ transactionalId, maxInFlightRequests: 1, idempotent: true });
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ partition: 0, value: 'once' }] });
    await cluster.node(leader).kill();
    await transaction.commit(); // decided; its end cannot be written
    await producer.disconnect();
    const options = { transactionalId, timeoutMs: 8_000, limit: new BatchLimit() };
    const open = () => TransactionalProducer.open(kafka.connection, options);
    await assert.rejects(open, (error: Error) => {
      assert.ok(error instanceof UnsettledTransactionError, String(error));
      const who = `of ${transactionalId}: broker ${coordinator + 1} (${cluster.brokers[coordinator]})`;
      assert.ok(error.message.includes(who), `${error.message} does not say "${who}"`);
      assert.match(error.message, /has no leader .* look for those first/);
      return true;
    });
    await cluster.node(leader).start();
    let opened: TransactionalProducer | undefined;
    await poll(
      async () => {
        opened = await open().catch(() => undefined);
        return opened !== undefined;
      },
      { timeoutMs: 60_000 },
      () => new Error('it does not open with the leader back'),
    );
    await opened?.close();
    assert.deepEqual(await kafka.readAll(topic, 1), [['once']]);
  });
});

/** Brokers that lead the partitions, by topic. */
async function leadersOf(kafka: TestKafka, topics: string[]): Promise<Map<string, number[]>> {
  const { topics: found } = await (await kafka.admin.client()).fetchTopicMetadata({ topics });
  return new Map(
    found.map(({ name, partitions }) => [
      name,
      partitions.toSorted((a, b) => a.partitionId - b.partitionId).map(({ leader }) => leader),
    ]),
  );
}

/** A transactional id that another broker than `leader` coordinates. */
async function coordinatedElsewhere(
  kafka: TestKafka,
  leader: number,
): Promise<{ transactionalId: string; coordinator: number }> {
  const coordinators = await readCoordinators(kafka.admin, ['transaction']);
  for (;;) {
    const transactionalId = uniqueName('unsettled');
    const coordinator = coordinators.of('transaction', transactionalId);
    if (coordinator >= 0 && coordinator !== leader) return { transactionalId, coordinator };
  }
}

async function work(workers: readonly CopyingWorker[]): Promise<void> {
  const before = workers.map(({ steps }) => steps);
  await poll(
    () => workers.every(({ steps }, index) => steps > before[index]! + 12),
    {},
    () => new Error(`the workers stand still: ${workers.map(({ failures }) => String(failures.at(-1)))}`),
  );
}

/** The admin client answers, if not at once: other questions than the first go to any broker, and one is frozen. */
async function answers(admin: KafkaAdmin, topic: string): Promise<void> {
  let last: unknown;
  const ask = async () => {
    const counts = await admin.partitionCounts([topic]).catch((error) => {
      last = error;
    });
    return counts?.get(topic) !== undefined;
  };
  await poll(ask, {}, () => new Error(`the admin client does not answer: ${last}`));
}

/** A transactional producer opens, if not at once: the frozen broker may coordinate its transactions. */
async function opens(connection: KafkaConnection): Promise<void> {
  const options = { transactionalId: uniqueName('opens'), timeoutMs: 8_000, limit: new BatchLimit() };
  let last: unknown;
  const open = async () => {
    const producer = await TransactionalProducer.open(connection, options).catch((error) => {
      last = error;
    });
    await producer?.close();
    return producer !== undefined;
  };
  await poll(open, {}, () => new Error(`no producer opens: ${last}`));
}

function isLeaderless(error: unknown): boolean {
  return error instanceof TopicTroubleError && error.trouble.kind === 'no_leader';
}

/** The group has read these partitions to their ends. */
async function reads(
  { groupId, input }: { groupId: string; input: string },
  partitions: number[],
): Promise<void> {
  await using kafka = new TestKafka(cluster.brokers);
  let seen = '';
  await poll(
    async () => {
      const bounds = await kafka.admin.offsetBounds(input, partitions);
      const offsets = await kafka.admin.committedOffsets(groupId, input);
      seen = partitions.map((id) => `${id}: ${offsets.get(id)} of ${bounds.get(id)?.high}`).join(', ');
      return partitions.every((id) => offsets.get(id) === bounds.get(id)?.high);
    },
    { timeoutMs: 90_000 },
    () => new Error(`the group stands at ${seen}`),
  );
}

/** The group has read all that is there. */
async function copied(kafka: TestKafka, { groupId, input }: { groupId: string; input: string }) {
  await poll(
    async () => {
      const ends = await kafka.admin.offsetBounds(input);
      const offsets = await kafka.admin.committedOffsets(groupId, input);
      return [...ends].every(([partition, { high }]) => offsets.get(partition) === high);
    },
    {},
    () => new Error('the group did not catch up'),
  );
}
