import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createOwnership } from '../../../src/core/hash/ownership.ts';
import { describeGroups } from '../../../src/io/kafka/admin/group-description.ts';
import { drainGroupId } from '../../../src/services/drain/assignment.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { runPenstock } from '../../lab/deployment/penstock.ts';
import {
  heldTasks,
  metricOf,
  partitionStarts,
  possibleRepeats,
  type Running,
  reload,
  retries,
  waitingTasks,
} from '../../lab/deployment/running.ts';
import { TaskSource } from '../../lab/generator/task-source.ts';
import { NodeReceiver, numberedBody } from '../../lab/nodes/node-receiver.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';

const TASKS = 12;
/** Counts to which the tasks may grow. */
const MORE_TASKS = Array.from({ length: 9 * TASKS }, (_, more) => TASKS + 1 + more);
const ANSWER_MS = 30;
const RECORD_EVERY_MS = 150;
/** Longer than a heartbeat and a look at other groups: whoever would send something again has begun to. */
const SETTLED_MS = 3_000;
const PATIENT = { timeoutMs: 120_000 };

const kafka = await startKafka();
closeAfterTests(kafka);

describe('nodes that come and go while records flow', () => {
  /** One for all nodes, so that the order of a task's records is seen across them. */
  let receiver: NodeReceiver;
  let penstock: Deployment;
  let topic: string;
  let source: TaskSource;
  let running: Map<string, Running>;

  beforeEach(async () => {
    receiver = await NodeReceiver.open(ANSWER_MS);
    penstock = await Deployment.create({
      brokers: kafka.brokers,
      routes: [{ name: 'all', task: { labels: ['record'], count: TASKS } }],
      nodes: nodes('n0', 'n1', 'n2'),
    });
    topic = penstock.topic('all');
    source = new TaskSource(penstock, { topic, tasks: TASKS, everyMs: RECORD_EVERY_MS }).start();
    running = new Map();
  });
  afterEach(async () => {
    await source.stop();
    await penstock.close();
    receiver.close();
  });

  function nodes(...names: string[]) {
    return names.map((name) => ({ name, url: `${receiver.url}/${name}` }));
  }

  const tasksOf = (names: readonly string[], node: string, count = TASKS) =>
    createOwnership([{ topic, count }], names, 'balanced').tasksOf(topic, node, 0);

  const start = async (node: string) => {
    running.set(node, await penstock.start(['drain'], { PENSTOCK_DRAIN_NODE: node }));
    return running.get(node)!;
  };
  const stop = async (node: string) => {
    const { process } = running.get(node)!;
    running.delete(node);
    assert.deepEqual(await process.stop(), { code: 0, signal: null }, process.log());
  };
  const restart = async (node: string) => {
    await stop(node);
    await start(node);
  };

  const until = (what: string, check: () => boolean | Promise<boolean>) =>
    poll(check, PATIENT, () => new Error(`waiting for "${what}" took longer than ${PATIENT.timeoutMs} ms`));

  /** Every drain works on the tasks that the configuration gives it, and waits for none. */
  const settled = (names: readonly string[], count = TASKS) =>
    until(`${names} share the tasks`, async () => {
      for (const node of names) {
        const drain = running.get(node)!;
        const held = await heldTasks(drain);
        if (held.join() !== tasksOf(names, node, count).join()) return false;
        if ((await waitingTasks(drain)).length > 0) return false;
      }
      return true;
    });

  const forget = async (node: string) => {
    const { configFile } = penstock;
    const { code, stdout } = await runPenstock(['forget', node, '--json'], { configFile });
    return { code, deleted: (JSON.parse(stdout) as { deleted: string[] }).deleted };
  };

  const progress = async () => {
    const before = receiver.count;
    await until('more records', () => receiver.count >= before + 5 * TASKS);
  };

  /** Every record of every task came once, in order. */
  const assertOnce = async (tasks = TASKS) => {
    const produced = await source.stop();
    await until('everything is delivered', () => receiver.count >= produced * tasks);
    await sleep(SETTLED_MS);
    const all = Array.from({ length: produced }, (_, number) => number);
    for (let task = 0; task < tasks; task += 1) {
      assert.deepEqual(receiver.taken.get(task), all, `task ${task}`);
    }
    for (const drain of running.values()) assert.deepEqual(await possibleRepeats(drain), {});
  };

  test('one is added, removed and renamed: what moves goes on where it stood, and waits until it is free', async () => {
    for (const node of ['n0', 'n1', 'n2']) await start(node);
    await settled(['n0', 'n1', 'n2']);
    await progress();
    assert.deepEqual(await partitionStarts(running.get('n0')!), {
      never_read: tasksOf(['n0', 'n1', 'n2'], 'n0').length,
    });

    const four = ['n0', 'n1', 'n2', 'n3'];
    penstock.reconfigure({ nodes: nodes(...four) });
    const added = await start('n3');
    const moving = tasksOf(four, 'n3');
    await until('n3 waits, and is ready', async () => (await waitingTasks(added)).join() === moving.join());
    await progress();
    for (const node of ['n2', 'n1', 'n0']) await restart(node);
    await settled(four);
    await progress();
    assert.deepEqual(await partitionStarts(added), { taken_over: moving.length });

    // Tasks return to nodes that had them before, whose own commits are old by now.
    penstock.reconfigure({ nodes: nodes('n0', 'n1', 'n2') });
    for (const node of ['n0', 'n1', 'n2']) await restart(node);
    await progress();
    assert.deepEqual(await forget('n3'), { code: 1, deleted: [] }, 'it still runs');
    await stop('n3');
    await settled(['n0', 'n1', 'n2']);
    await progress();
    assert.deepEqual(await forget('n3'), { code: 0, deleted: [drainGroupId(topic, 'n3')] });
    assert.deepEqual(await forget('n3'), { code: 0, deleted: [] });

    penstock.reconfigure({ nodes: nodes('n0', 'renamed', 'n2') });
    await stop('n1');
    assert.deepEqual(await forget('n1'), { code: 1, deleted: [] }, 'nobody has taken over from it');
    await start('renamed');
    for (const node of ['n0', 'n2']) await restart(node);
    await settled(['n0', 'renamed', 'n2']);
    await progress();
    await assertOnce();
  });

  test('by reloads, without a restart: a node more, another address and login, a route more and one less', async () => {
    const names = ['n0', 'n1'];
    penstock.reconfigure({ nodes: nodes(...names) });
    for (const node of names) await start(node);
    await settled(names);
    await progress();
    const pids = [...running.values()].map(({ process: { pid } }) => pid);
    const reloadAll = async (says: RegExp) => {
      for (const drain of running.values()) {
        const { status, text } = await reload(drain);
        assert.equal(status, 200, text);
        assert.match(text, says);
      }
    };

    const three = ['n0', 'n1', 'n2'];
    penstock.reconfigure({ nodes: nodes(...three) });
    await start('n2');
    await reloadAll(/changed: nodes$|Nothing of it/m);
    await settled(three);
    await progress();

    // A login that is refused, and the right one: a pause that has grown meanwhile is not sat out.
    receiver.token = 'right';
    await until('n0 is refused', async () => 'http_401' in (await retries(running.get('n0')!)));
    penstock.reconfigure({
      nodes: nodes(...three).map((node) => ({ ...node, bearer_token: 'right', allow_insecure: true })),
      drain: { backoff_min: '150ms', backoff_max: '10s', session_timeout: '6s', heartbeat_interval: '1s' },
    });
    await reloadAll(/changed: nodes\[0\]\.bearer_token$/m);
    await progress();

    const route = { name: 'all', topic, task: { labels: ['record'], count: TASKS } };
    const other = { ...route, name: 'other', topic: `${topic}.other` };
    penstock.reconfigure({ routes: [route, other] });
    for (const drain of running.values()) {
      const { status, text } = await reload(drain);
      assert.equal(status, 400);
      assert.match(text, /topic .*\.other does not exist/);
    }
    const { code, stderr } = await runPenstock(['topics', 'apply'], { configFile: penstock.configFile });
    assert.equal(code, 0, stderr);
    await reloadAll(/changed: routes$/m);
    const count = receiver.count;
    await penstock.producer.send([
      {
        topic: other.topic,
        partition: 3,
        key: null,
        value: numberedBody(TASKS, 0),
        headers: {},
        timestamp: Date.now(),
      },
    ]);
    await until('the new topic is read', () => receiver.taken.get(TASKS) !== undefined);
    assert.ok(receiver.count > count);
    penstock.reconfigure({ routes: [route] });
    await reloadAll(/changed: routes$/m);
    await until('the other groups are left', async () => {
      const groups = three.map((node) => drainGroupId(other.topic, node));
      const described = await describeGroups(penstock.admin, groups);
      return groups.every((group) => (described.get(group)?.members.length ?? 0) === 0);
    });
    await settled(three);

    penstock.reconfigure({ drain: { session_timeout: '7s', heartbeat_interval: '1s' } });
    const refused = await reload(running.get('n0')!);
    assert.equal(refused.status, 400);
    assert.match(refused.text, /drain\.session_timeout: changed, and takes effect at a restart only/);
    assert.equal(await metricOf(running.get('n0')!, 'penstock_config_last_reload_successful'), 0);
    await progress();
    assert.deepEqual(
      [...running.values()].slice(0, 2).map(({ process: { pid } }) => pid),
      pids,
    );
    await assertOnce();
  });

  test('the task count grows: tasks that move go on where they stood', async () => {
    const names = ['n0', 'n1', 'n2'];
    for (const node of names) await start(node);
    await settled(names);
    await progress();
    const moved = (to: number) =>
      names.flatMap((node) => {
        const before = tasksOf(names, node);
        return tasksOf(names, node, to).filter((task) => task < TASKS && !before.includes(task));
      });
    // The name of the topic, which is random, decides which tasks a count moves.
    const count = MORE_TASKS.find((to) => moved(to).length > 0);
    assert.ok(count !== undefined, 'another count that moves tasks is needed here');
    penstock.reconfigure({
      routes: [{ name: 'all', topic, task: { labels: ['record'], count } }],
    });
    const { code, stderr } = await runPenstock(['topics', 'apply'], { configFile: penstock.configFile });
    assert.equal(code, 0, stderr);
    for (const node of names) await restart(node);
    await settled(names, count);
    await progress();
    await assertOnce();
  });
});
