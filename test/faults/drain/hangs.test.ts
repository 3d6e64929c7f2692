import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { drainGroupId } from '../../../src/services/drain/assignment.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { heldTasks, possibleRepeats, type Running, retries } from '../../lab/deployment/running.ts';
import { TaskSource } from '../../lab/generator/task-source.ts';
import { NodeReceiver } from '../../lab/nodes/node-receiver.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';

const TASKS = 8;
const ALL = Array.from({ length: TASKS }, (_, task) => task);
const NODE = 'node-0';
const REQUEST_TIMEOUT_S = 5;
/** Shorter than half a session, after which a request to a broker that hangs is given up. */
const BROKER_HANGS_MS = 2_500;
const PATIENT = { timeoutMs: 120_000 };

// A broker that is stopped for a moment is not to lose its own session.
const properties = { 'broker.session.timeout.ms': '60000' };
const kafka = await startKafka({ own: true, name: 'hangs', properties });
closeAfterTests(kafka);

describe('however long it lasts, one request a partition is sent again', () => {
  let receiver: NodeReceiver;
  let penstock: Deployment;
  let source: TaskSource;
  let topic: string;

  beforeEach(async () => {
    receiver = await NodeReceiver.open(20);
    penstock = await Deployment.create({
      brokers: kafka.brokers,
      routes: [{ name: 'all', task: { labels: ['record'], count: TASKS } }],
      nodes: [{ name: NODE, url: receiver.url }],
      drain: { node: NODE, request_timeout: `${REQUEST_TIMEOUT_S}s` },
    });
    topic = penstock.topic('all');
    source = new TaskSource(penstock, { topic, tasks: TASKS, everyMs: 50 }).start();
  });
  afterEach(async () => {
    kafka.node(0).resume();
    await source.stop();
    await penstock.close();
    receiver.close();
  });

  const until = (what: string, check: () => boolean | Promise<boolean>) =>
    poll(check, PATIENT, () => new Error(`waiting for "${what}" took too long`));

  const holds = (drain: Running, tasks: number) =>
    until(`a drain holds ${tasks} tasks`, async () => (await heldTasks(drain)).length === tasks);

  const goOn = async () => {
    const count = (task: number) => receiver.taken.get(task)?.length ?? 0;
    const before = ALL.map(count);
    await until('more of every task', () => ALL.every((task) => count(task) >= before[task]! + 10));
  };

  const delivered = () => penstock.noLag(drainGroupId(topic, NODE), topic);

  const assertOneRepeatEach = () => {
    const repeats = receiver.repeats();
    assert.deepEqual([...repeats.keys()].sort(), ALL);
    for (const [task, numbers] of repeats) assert.equal(numbers.length, 1, `task ${task}: ${numbers}`);
  };

  test('of a drain that hangs: it wakes to another owner, and sends nothing before the group has answered', async () => {
    const frozen = await penstock.start(['drain']);
    await holds(frozen, TASKS);
    await goOn();
    receiver.hold = { tasks: ALL, until: new Promise(() => undefined) };
    await until('a request in flight of every task', () => receiver.held.size === TASKS);
    frozen.process.pause();
    // Broken connections: what it will do first when it wakes is to try again.
    receiver.cut();
    receiver.hold = { tasks: [], until: Promise.resolve() };
    const heir = await penstock.start(['drain']);
    await holds(heir, TASKS);
    await goOn();
    await source.stop();
    await delivered();
    assert.deepEqual(await possibleRepeats(heir), { takeover: TASKS });

    kafka.node(0).pause();
    const requests = () => receiver.count + receiver.empty;
    const before = requests();
    frozen.process.resume();
    await sleep(BROKER_HANGS_MS);
    assert.equal(requests(), before, 'nobody has told it that it still owns its tasks');
    kafka.node(0).resume();
    await holds(frozen, TASKS / 2);
    await holds(heir, TASKS / 2);
    assert.equal(requests(), before);
    source.start();
    await goOn();
    await source.stop();
    await delivered();
    await frozen.process.waitForLog(/"evicted: /);
    assertOneRepeatEach();
  });

  test('of a node that hangs: empty requests wait in its place until it goes on', async () => {
    const drain = await penstock.start(['drain']);
    await holds(drain, TASKS);
    await goOn();
    const { promise, resolve: wake } = Promise.withResolvers<void>();
    receiver.awake = promise;
    await until('three attempts of every task', async () => {
      const { connection = 0 } = await retries(drain);
      return connection >= 3 * TASKS;
    });
    wake();
    await goOn();
    const produced = await source.stop();
    await delivered();
    assert.ok(receiver.empty >= 3 * TASKS, `${receiver.empty} empty requests`);
    assertOneRepeatEach();
    assert.deepEqual(await possibleRepeats(drain), { unanswered: TASKS });
    const numbers = Array.from({ length: produced }, (_, number) => number);
    for (const task of ALL) assert.deepEqual([...new Set(receiver.taken.get(task))], numbers);
  });
});
