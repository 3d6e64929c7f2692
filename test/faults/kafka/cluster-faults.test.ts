import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { uniqueName } from '../../lab/names.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closing } from '../../support/closing.ts';
import { readCoordinators } from '../../support/coordinators.ts';
import { CopyingWorker } from '../../support/copying-worker.ts';
import { NumberSource, TestKafka } from '../../support/kafka-data.ts';

/** Connections a worker may have more after a fault than before: kafkajs opens some only when it looks around. */
const SPARE_CONNECTIONS = 4;
/** Bytes that may be held more without a broker than with it; a fetch brings up to 8 MiB. */
const SPARE_BYTES = 8 << 20;

/** One test after the other: connections and memory are counted for the whole process. */
describe('exactly once while brokers die', { concurrency: false }, () => {
  test('on three brokers, of which one stops and each is killed and comes back, also as coordinator and leader', async () => {
    await using cluster = closing(await startKafka({ brokers: 3, name: 'cluster-faults' }));
    await using kafka = new TestKafka(cluster.brokers);
    for (let round = 0; round < 3; round += 1) await applyTopics(cluster.brokers);
    const { topics, source } = await setup(cluster.brokers, kafka, 6);
    const workers = await Promise.all([new CopyingWorker(topics).start(), new CopyingWorker(topics).start()]);
    const works = async (what: string) => {
      const before = workers.map(({ steps }) => steps);
      await poll(
        () => workers.every(({ steps }, index) => steps > before[index]! + 12),
        { timeoutMs: 60_000 },
        () =>
          new Error(
            `${what}: the workers stand still: ${JSON.stringify(workers.map((w) => String(w.failures.at(-1))))}`,
          ),
      );
    };
    await works('at first');
    await poll(
      () => workers.every(({ reader }) => reader.partitions.length === 3),
      {},
      () => new Error('no even share'),
    );
    const members = () => workers.map(({ reader }) => reader.partitions[0]!.membership);
    const membersBefore = members();
    const first = await coordinator(kafka, topics.groupId);
    await cluster.node(first).stop();
    await poll(
      async () => (await coordinator(kafka, topics.groupId).catch(() => first)) !== first,
      {},
      () => new Error('the coordinator did not move'),
    );
    await works('with another coordinator');
    assert.deepEqual(members(), membersBefore, 'nobody joins again for a coordinator that moves');
    await cluster.node(first).start();
    const connectionsBefore = connections();
    for (const index of [0, 1, 2]) {
      await cluster.node(index).kill();
      await sleep(4000); // beyond the broker's session: leaders and coordinators have moved
      await works(`without broker ${index}`);
      await cluster.node(index).start();
      await works(`with broker ${index} again`);
    }
    await poll(
      () => connections() <= connectionsBefore + SPARE_CONNECTIONS,
      {},
      () => new Error(`${connections()} connections, ${connectionsBefore} before the faults`),
    );
    await assertCopied(kafka, topics, source, 6);
    for (const worker of workers) assert.deepEqual(await worker.stop(), []);
    await assertEqualContent(kafka, topics, 6);
  });

  test('on one broker that is away for 20 s and comes back on its port', async () => {
    await using cluster = closing(await startKafka({ own: true, name: 'outage' }));
    await using kafka = new TestKafka(cluster.brokers);
    const { topics, source } = await setup(cluster.brokers, kafka, 2);
    const worker = await new CopyingWorker(topics).start();
    await poll(
      () => worker.steps > 20,
      {},
      () => new Error('the worker does not work'),
    );
    await sleep(1000);
    const before = heldBytes();
    await cluster.node(0).kill();
    await sleep(20_000);
    const held = heldBytes() - before;
    await cluster.node(0).start();
    await assertCopied(kafka, topics, source, 2);
    assert.deepEqual(await worker.stop(), []);
    await assertEqualContent(kafka, topics, 2);
    assert.ok(held < SPARE_BYTES, `${held} bytes more are held after 20 s without a broker`);
  });
});

async function setup(brokers: string[], kafka: TestKafka, partitions: number) {
  const input = await kafka.createTopic('in', partitions);
  const output = await kafka.createTopic('out', partitions);
  const topics = { brokers, groupId: uniqueName('faults'), input, output };
  return { topics, source: new NumberSource(kafka, input, partitions).start() };
}

/** The index of the broker that coordinates a group. */
async function coordinator(kafka: TestKafka, groupId: string): Promise<number> {
  return (await readCoordinators(kafka.admin)).of('group', groupId);
}

/** `penstock topics apply` for topics that not every broker has heard of when it looks at them. */
async function applyTopics(brokers: string[]): Promise<void> {
  const routes = [1, 2, 3].map((at) => ({ name: `r${at}`, task: { labels: ['job'], count: 3 } }));
  const deployment = await Deployment.create({ brokers, replicas: 3, rawPartitions: 3, routes });
  await deployment.close();
}

/** The group has read all that the source has written. */
async function assertCopied(
  kafka: TestKafka,
  topics: { groupId: string; input: string },
  source: NumberSource,
  partitions: number,
): Promise<void> {
  await source.stop();
  await poll(
    async () => {
      const ends = await kafka.admin.offsetBounds(topics.input);
      const offsets = await kafka.admin.committedOffsets(topics.groupId, topics.input);
      return (
        ends.size === partitions &&
        [...ends].every(([partition, { high }]) => offsets.get(partition) === high)
      );
    },
    {},
    () => new Error('the group did not catch up'),
  );
}

/** The source may repeat what it writes while brokers die, so the input itself is what the output is held to. */
async function assertEqualContent(
  kafka: TestKafka,
  topics: { input: string; output: string },
  partitions: number,
): Promise<void> {
  const input = await kafka.readAll(topics.input, partitions);
  const output = await kafka.readAll(topics.output, partitions);
  assert.ok(input.every((values) => values.length > 100));
  assert.deepEqual(output, input);
}

function connections(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'TCPSocketWrap').length;
}

function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
