import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { drainGroupId } from '../../../src/drain/assignment.ts';
import { Deployment, type Running } from '../../support/deployment.ts';
import { NodeReceiver, numberedBody } from '../../support/node-receiver.ts';
import { poll } from '../../support/process.ts';
import { type KafkaCluster, startKafka } from '../../support/servers/kafka.ts';

const TASKS = 8;
/** Every task always has a request in flight: the receiver takes longer for one than the next takes to come. */
const ANSWER_MS = 100;
const RECORD_EVERY_MS = 80;
/** So many more records that everything has surely moved on. */
const SOME = 10 * TASKS;
const NODE = 'node-0';
const PATIENT = { timeoutMs: 120_000 };

describe('drains of one node', () => {
  let kafka: KafkaCluster;
  let receiver: NodeReceiver;
  let penstock: Deployment;
  let topic: string;
  /** Ends the source. Resolves to how many records each task has. */
  let stopSource: () => Promise<number>;

  before(async () => {
    kafka = await startKafka();
  });
  after(() => kafka.close());

  beforeEach(async () => {
    receiver = await NodeReceiver.open(ANSWER_MS);
    penstock = await Deployment.create({
      brokers: kafka.brokers,
      routes: [{ name: 'all', task: { labels: ['record'], count: TASKS } }],
      nodes: [{ name: NODE, url: receiver.url }],
      drain: { node: NODE, request_timeout: '60s' },
    });
    topic = penstock.topic('all');
    const end = new AbortController();
    const source = produce(penstock, topic, end.signal);
    stopSource = () => {
      end.abort();
      return source;
    };
  });
  afterEach(async () => {
    await stopSource();
    await penstock.close();
    receiver.close();
  });

  const until = (what: string, check: () => boolean | Promise<boolean>) =>
    poll(check, PATIENT, () => new Error(`waiting for "${what}" took too long`));

  const progress = async () => {
    const before = receiver.count;
    await until('more records', () => receiver.count >= before + SOME);
  };

  const holds = (drain: Running, tasks: number) =>
    until(`a drain holds ${tasks} tasks`, async () => (await heldTasks(drain)).length === tasks);

  test('repeat nothing and keep the order when one joins, stops, joins again', async () => {
    const first = await penstock.start(['drain']);
    await holds(first, TASKS);
    await progress();
    for (let round = 0; round < 2; round += 1) {
      const second = await penstock.start(['drain']);
      await holds(second, TASKS / 2);
      await holds(first, TASKS / 2);
      await progress();
      assert.deepEqual(await second.process.stop(), { code: 0, signal: null }, second.process.log());
      await holds(first, TASKS);
      await progress();
    }
    const third = await penstock.start(['drain']);
    await holds(third, TASKS / 2);
    assert.deepEqual(await first.process.stop(), { code: 0, signal: null }, first.process.log());
    await holds(third, TASKS);
    const count = await stopSource();
    await penstock.noLag(drainGroupId(topic, NODE), topic);
    const all = Array.from({ length: count }, (_, number) => number);
    for (let task = 0; task < TASKS; task += 1) assert.deepEqual(receiver.taken.get(task), all);
    assert.equal(await possibleRepeats(third), 0);
  });

  test('go on with the partitions that stay while another joins, and with those that move when they are finished', async () => {
    const staying = [0, 1, 2, 3];
    const moving = [4, 5, 6, 7];
    const first = await penstock.start(['drain']);
    await holds(first, TASKS);
    await progress();
    const answered = Promise.withResolvers<void>();
    receiver.hold = { tasks: moving, until: answered.promise };
    const second = await penstock.start(['drain']);
    await holds(first, staying.length);
    assert.deepEqual(await heldTasks(first), staying);
    const count = (task: number) => receiver.taken.get(task)!.length;
    const standing = moving.map(count);
    const running = staying.map(count);
    await until('the others go on', () => staying.every((task, at) => count(task) >= running[at]! + 30));
    assert.deepEqual(moving.map(count), standing, 'one request is in flight, and no more are sent');
    assert.deepEqual(await heldTasks(second), []);
    answered.resolve();
    await holds(second, moving.length);
    await until('those that moved go on', () =>
      moving.every((task, at) => count(task) >= standing[at]! + 10),
    );
    await stopSource();
    assert.deepEqual(receiver.repeats(), new Map());
  });

  test('one killed: the other repeats at most one request a partition, and counts as many as it repeats', async () => {
    const survivor = await penstock.start(['drain']);
    const victim = await penstock.start(['drain']);
    await holds(survivor, TASKS / 2);
    await holds(victim, TASKS / 2);
    await progress();
    const moving = await heldTasks(victim);
    receiver.delayMs = Number.POSITIVE_INFINITY;
    const inFlight = async () => {
      const before = receiver.count;
      await sleep(10 * ANSWER_MS);
      return receiver.count === before;
    };
    await until('every partition waits for an answer', inFlight);
    await victim.process.kill();
    receiver.delayMs = ANSWER_MS;
    await holds(survivor, TASKS);
    await progress();
    await stopSource();
    const repeats = receiver.repeats();
    const killed = [...repeats].filter(([task]) => moving.includes(task));
    assert.deepEqual(killed.map(([task]) => task).sort(), moving);
    for (const [task, numbers] of killed) assert.equal(numbers.length, 1, `task ${task}: ${numbers}`);
    assert.equal(await possibleRepeats(survivor), killed.length);
  });
});

/** Writes records 0, 1, 2, … to every partition. @returns how many. */
async function produce(penstock: Deployment, topic: string, signal: AbortSignal): Promise<number> {
  for (let number = 0; ; number += 1) {
    if (signal.aborted) return number;
    await penstock.producer.send(
      Array.from({ length: TASKS }, (_, task) => ({
        topic,
        partition: task,
        key: null,
        value: numberedBody(task, number),
        headers: { 'penstock-source': `in/0/${number}-${number}` },
        timestamp: Date.now(),
      })),
    );
    await sleep(RECORD_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function heldTasks({ admin }: Running): Promise<number[]> {
  const response = await fetch(`${admin}/api/status`);
  const { partitions } = (await response.json()) as { partitions: { partition: number }[] };
  return partitions.map(({ partition }) => partition).sort();
}

async function possibleRepeats({ admin }: Running): Promise<number> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  return [...text.matchAll(/^penstock_deliver_possible_repeats_total\{.*\} (\d+)$/gm)].reduce(
    (sum, [, value]) => sum + Number(value),
    0,
  );
}
