import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { drainGroupId } from '../../../src/services/drain/assignment.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { heldTasks, possibleRepeats, type Running } from '../../lab/deployment/running.ts';
import { TaskSource } from '../../lab/generator/task-source.ts';
import { NodeReceiver } from '../../lab/nodes/node-receiver.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';

const TASKS = 8;
/** Every task always has a request in flight: the receiver takes longer for one than the next takes to come. */
const ANSWER_MS = 100;
const RECORD_EVERY_MS = 80;
/** So many more records that everything has surely moved on. */
const SOME = 10 * TASKS;
const NODE = 'node-0';
const PATIENT = { timeoutMs: 120_000 };
/**
 * The session of a `Deployment`'s drains is 6 s; the rest is for the survivor's heartbeat, its joining, and a busy machine.
 * What waits for the dead one in a rebalance as well takes a minute.
 */
const TAKE_OVER = { timeoutMs: 30_000 };
/** A task that stays is never longer without a request. In a rebalance that stops all it would be, by the wait for it. */
const LONGEST_PAUSE_MS = 3_000;

const kafka = await startKafka();
closeAfterTests(kafka);

describe('drains of one node', () => {
  let receiver: NodeReceiver;
  let penstock: Deployment;
  let topic: string;
  let source: TaskSource;

  beforeEach(async () => {
    receiver = await NodeReceiver.open(ANSWER_MS);
    penstock = await Deployment.create({
      brokers: kafka.brokers,
      routes: [{ name: 'all', task: { labels: ['record'], count: TASKS } }],
      nodes: [{ name: NODE, url: receiver.url }],
      drain: { node: NODE, request_timeout: '600s' },
    });
    topic = penstock.topic('all');
    source = new TaskSource(penstock, { topic, tasks: TASKS, everyMs: RECORD_EVERY_MS }).start();
  });
  afterEach(async () => {
    await source.stop();
    await penstock.close();
    receiver.close();
  });

  const until = (what: string, check: () => boolean | Promise<boolean>, limit = PATIENT) =>
    poll(check, limit, () => new Error(`waiting for "${what}" took longer than ${limit.timeoutMs} ms`));

  const progress = async () => {
    const before = receiver.count;
    await until('more records', () => receiver.count >= before + SOME);
  };

  const holds = (drain: Running, tasks: number, limit = PATIENT) =>
    until(`a drain holds ${tasks} tasks`, async () => (await heldTasks(drain)).length === tasks, limit);

  const count = (task: number) => receiver.taken.get(task)!.length;

  const goOn = async (tasks: readonly number[], records: number) => {
    const before = tasks.map(count);
    await until(`${records} more of ${tasks}`, () =>
      tasks.every((task, at) => count(task) >= before[at]! + records),
    );
  };

  /** Has the node answer no request of these tasks until the result is called; resolves when each has one in flight. */
  const holdAnswers = async (tasks: readonly number[]) => {
    const answered = Promise.withResolvers<void>();
    receiver.hold = { tasks, until: answered.promise };
    await until(`a request in flight of each of ${tasks}`, () =>
      tasks.every((task) => receiver.held.has(task)),
    );
    return answered.resolve;
  };

  /** Tasks that did not move had requests all the time since `since`. */
  const assertUndisturbed = (tasks: readonly number[], since: number) => {
    for (const task of tasks) {
      const pause = receiver.longestPause(task, since);
      assert.ok(
        pause < LONGEST_PAUSE_MS,
        `task ${task} stayed, and had no request for ${Math.round(pause)} ms`,
      );
    }
  };

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
    const produced = await source.stop();
    await penstock.noLag(drainGroupId(topic, NODE), topic);
    const all = Array.from({ length: produced }, (_, number) => number);
    for (let task = 0; task < TASKS; task += 1) assert.deepEqual(receiver.taken.get(task), all);
    assert.deepEqual(await possibleRepeats(third), {});
  });

  test('go on with the partitions that stay while another joins, and with those that move when they are finished', async () => {
    const staying = [0, 1, 2, 3];
    const moving = [4, 5, 6, 7];
    const first = await penstock.start(['drain']);
    await holds(first, TASKS);
    await progress();
    const answer = await holdAnswers(moving);
    const standing = moving.map(count);
    const joining = performance.now();
    const second = await penstock.start(['drain']);
    await holds(first, staying.length);
    assert.deepEqual(await heldTasks(first), staying);
    await goOn(staying, 30);
    assert.deepEqual(moving.map(count), standing, 'one request is in flight, and no more are sent');
    assert.deepEqual(await heldTasks(second), []);
    answer();
    await holds(second, moving.length);
    await goOn(moving, 10);
    assertUndisturbed(staying, joining);
    await source.stop();
    assert.deepEqual(receiver.repeats(), new Map());
  });

  test('one killed: the other repeats one request a partition, counts as many, and goes on with its own', async () => {
    const survivor = await penstock.start(['drain']);
    const victim = await penstock.start(['drain']);
    await holds(survivor, TASKS / 2);
    await holds(victim, TASKS / 2);
    await progress();
    const staying = await heldTasks(survivor);
    const moving = await heldTasks(victim);
    const answer = await holdAnswers(moving);
    const killing = performance.now();
    await victim.process.kill();
    answer();
    await holds(survivor, TASKS, TAKE_OVER);
    await goOn(moving, 10);
    assertUndisturbed(staying, killing);
    await source.stop();
    const repeats = receiver.repeats();
    assert.deepEqual([...repeats.keys()].sort(), moving);
    for (const [task, numbers] of repeats) assert.equal(numbers.length, 1, `task ${task}: ${numbers}`);
    assert.deepEqual(await possibleRepeats(survivor), { takeover: moving.length });
  });
});
