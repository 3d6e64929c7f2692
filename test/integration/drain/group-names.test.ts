import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BatchLimit } from '../../../src/io/kafka/produce/send-rounds.ts';
import { NO_MEMBER, TransactionalProducer } from '../../../src/io/kafka/produce/transactional-producer.ts';
import { drainGroupId, formerDrainGroupPrefix } from '../../../src/services/drain/assignment.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { heldTasks, partitionStarts } from '../../lab/deployment/running.ts';
import { uniqueName } from '../../lab/names.ts';
import { NodeReceiver, numberedBody } from '../../lab/nodes/node-receiver.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';

const TASKS = 2;
const PATIENT = { timeoutMs: 120_000 };

const kafka = await startKafka();
closeAfterTests(kafka);

const until = (what: string, check: () => boolean | Promise<boolean>) =>
  poll(check, PATIENT, () => new Error(`waiting for "${what}" took too long`));

async function deploy(node: string, topic: string) {
  const receiver = await NodeReceiver.open(1);
  const penstock = await Deployment.create({
    brokers: kafka.brokers,
    routes: [{ name: 'all', topic, task: { labels: ['record'], count: TASKS } }],
    nodes: [{ name: node, url: receiver.url }],
    drain: { node },
  });
  const send = (from: number, to: number) =>
    penstock.fill(
      Array.from({ length: to - from }, (_, index) =>
        Array.from({ length: TASKS }, (__, task) => ({
          topic,
          partition: task,
          key: null,
          value: numberedBody(task, from + index),
          headers: {},
          timestamp: Date.now(),
        })),
      ).flat(),
    );
  return {
    penstock,
    receiver,
    send,
    delivered: () => penstock.noLag(drainGroupId(topic, node), topic),
    close: async () => {
      await penstock.close();
      receiver.close();
    },
  };
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

describe('groups of drains', { concurrency: true }, () => {
  test('a node begins where its group of an earlier version stood; from then on its own counts', async (t) => {
    const node = 'vmagent.0';
    const topic = uniqueName('tasks.former');
    const at = await deploy(node, topic);
    t.after(at.close);
    await at.send(0, 20);
    const former = `${formerDrainGroupPrefix(topic)}${node}`;
    const stands = async (offset: bigint, metadata: string) => {
      const producer = await TransactionalProducer.open(at.penstock.connection, {
        transactionalId: uniqueName('former'),
        timeoutMs: 30_000,
        limit: new BatchLimit(),
      });
      const partitions = Array.from({ length: TASKS }, (_, partition) => ({ partition, offset, metadata }));
      await producer.send({ groupId: former, membership: NO_MEMBER, topic, partitions }, []);
      await producer.close();
    };
    await stands(12n, 'turn 3 handed over');

    const drain = await at.penstock.start(['drain']);
    await at.delivered();
    assert.deepEqual(await partitionStarts(drain), { taken_over: TASKS });
    for (let task = 0; task < TASKS; task += 1)
      assert.deepEqual(at.receiver.taken.get(task), numbers(12, 20));
    assert.equal((await drain.process.stop()).code, 0);

    await stands(5n, 'turn 3 handed over');
    await at.send(20, 25);
    const again = await at.penstock.start(['drain']);
    await at.delivered();
    assert.deepEqual(await partitionStarts(again), {});
    for (let task = 0; task < TASKS; task += 1)
      assert.deepEqual(at.receiver.taken.get(task), numbers(12, 25));
  });

  test('two deployments whose names run together work side by side', async (t) => {
    const name = uniqueName('tasks.twin');
    // With dots between topic and node both would read with the group penstock.<name>.a.n.
    const twins = await Promise.all([deploy('a.n', name), deploy('n', `${name}.a`)]);
    t.after(() => Promise.all(twins.map((twin) => twin.close())));
    const drains = await Promise.all(twins.map(({ penstock }) => penstock.start(['drain'])));
    for (const drain of drains)
      await until('each has its tasks', async () => (await heldTasks(drain)).length === TASKS);
    await Promise.all(twins.map(({ send }) => send(0, 50)));
    for (const { receiver, delivered } of twins) {
      await delivered();
      for (let task = 0; task < TASKS; task += 1) assert.deepEqual(receiver.taken.get(task), numbers(0, 50));
    }
    for (const { process } of drains) assert.doesNotMatch(process.log(), /evicted|consumer restarts/);
  });
});
