import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { drainGroupId } from '../../../src/services/drain/assignment.ts';
import { HOUR_MS, TestClock } from '../../lab/clock.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { heldTasks, type Running, readiness } from '../../lab/deployment/running.ts';
import { TaskSource } from '../../lab/generator/task-source.ts';
import { NodeReceiver } from '../../lab/nodes/node-receiver.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';

const TASKS = 4;
const NODE = 'node-0';
/** Longer than a session: a member that sends no heartbeats is evicted meanwhile. */
const SESSION_PASSES_MS = 7_000;
/** Far less than an hour, and generous: CI may be busy. */
const PATIENT = { timeoutMs: 60_000 };

const kafka = await startKafka();
closeAfterTests(kafka);

describe('a clock that is set while a process runs', { concurrency: true }, () => {
  for (const stepMs of [-HOUR_MS, HOUR_MS]) {
    const direction = stepMs < 0 ? 'back' : 'ahead';

    test(`a clock that steps an hour ${direction} in any state stops no drain, and nothing is sent twice`, async (t) => {
      const receiver = await NodeReceiver.open(5);
      const penstock = await Deployment.create({
        brokers: kafka.brokers,
        routes: [{ name: 'all', task: { labels: ['record'], count: TASKS } }],
        nodes: [{ name: NODE, url: receiver.url }],
        drain: { node: NODE, request_timeout: '20s', backoff_min: '300ms', backoff_max: '1s' },
      });
      const topic = penstock.topic('all');
      const source = new TaskSource(penstock, { topic, tasks: TASKS, everyMs: 100 }).start();
      t.after(async () => {
        await source.stop();
        await penstock.close();
        receiver.close();
      });
      const until = (what: string, check: () => boolean | Promise<boolean>) =>
        poll(check, PATIENT, () => new Error(`waiting for "${what}" took too long`));
      const count = (task: number) => receiver.taken.get(task)?.length ?? 0;
      const goesOn = async () => {
        const before = Array.from({ length: TASKS }, (_, task) => count(task));
        await until('more of every task', () => before.every((taken, task) => count(task) > taken));
      };
      const lives = async (...drains: Running[]) => {
        for (const end = performance.now() + SESSION_PASSES_MS; performance.now() < end; await sleep(1_000)) {
          await goesOn();
          for (const { admin } of drains) assert.equal((await readiness(admin)).status, 200);
        }
      };
      const [one, other] = [new TestClock(), new TestClock()];
      let offsetMs = 0;
      const step = () => one.setFor(drain.process.pid, (offsetMs += stepMs));

      const starting = penstock.start(['drain'], one.env);
      one.set((offsetMs += stepMs));
      const drain = await starting;
      await goesOn();

      // While it works.
      await step();
      await lives(drain);

      // With a request in flight, and in the pauses of a node that is away.
      receiver.hold = { tasks: [0, 1], until: sleep(1_000) };
      await until('requests in flight', () => receiver.held.size === 2);
      await step();
      await goesOn();
      receiver.refusing = true;
      await until('refused attempts', () => receiver.refused > 2 * TASKS);
      await step();
      receiver.refusing = false;
      await goesOn();

      // When tasks move to a drain with another clock.
      const neighbour = await penstock.start(['drain'], other.env);
      await step();
      other.set(-offsetMs);
      await until('both have tasks', async () => {
        const held = await Promise.all([drain, neighbour].map(heldTasks));
        return held.every(({ length }) => length > 0);
      });
      await lives(drain, neighbour);
      for (const { process } of [drain, neighbour]) assert.doesNotMatch(process.log(), /evicted/);

      // While it stops: a record is on its way.
      receiver.hold = { tasks: Array.from({ length: TASKS }, (_, task) => task), until: sleep(1_000) };
      await until('requests in flight', () => receiver.held.size > 0);
      const exits = [drain, neighbour].map(({ process }) => process.stop());
      one.set((offsetMs += stepMs));
      other.set(offsetMs);
      for (const exit of await Promise.all(exits)) assert.deepEqual(exit, { code: 0, signal: null });

      const sent = await source.stop();
      await penstock.start(['drain']);
      await penstock.noLag(drainGroupId(topic, NODE), topic);
      for (let task = 0; task < TASKS; task += 1) {
        assert.deepEqual(
          receiver.taken.get(task),
          Array.from({ length: sent }, (_, number) => number),
        );
      }
    });
  }
});
