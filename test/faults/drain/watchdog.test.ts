import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { readiness } from '../../lab/deployment/running.ts';
import { NodeReceiver, numberedBody } from '../../lab/nodes/node-receiver.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';

/** A minute without a commit is the limit; CI may be busy. */
const PATIENT = { timeoutMs: 180_000 };
const STALLED_MS = 60_000;

const [kafka, receiver] = await Promise.all([startKafka(), NodeReceiver.open(0)]);
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  routes: [{ name: 'all', task: { labels: ['record'], count: 2 } }],
  nodes: [{ name: 'node-0', url: receiver.url }],
  drain: { node: 'node-0', request_timeout: '600s' },
});
closeAfterTests(penstock, receiver, kafka);

test('a drain that stands still while there is lag is not ready and says why; it is again when it goes on', async () => {
  const topic = penstock.topic('all');
  const { admin } = await penstock.start(['drain']);
  const send = (numbers: number[]) =>
    penstock.producer.send(
      numbers.map((number) => ({
        topic,
        partition: 1,
        key: null,
        value: numberedBody(1, number),
        headers: {},
        timestamp: Date.now(),
      })),
    );
  // No commit is older than this, so it is not ready a minute later at the soonest.
  const began = performance.now();
  await send([0, 1]);
  await poll(
    () => receiver.count === 2,
    PATIENT,
    () => new Error('the drain does not work'),
  );
  receiver.delayMs = Number.POSITIVE_INFINITY;
  await send([2, 3, 4]);
  await poll(
    () => receiver.count === 3,
    PATIENT,
    () => new Error('the drain does not go on'),
  );
  await poll(
    async () => (await readiness(admin)).status === 503,
    PATIENT,
    () => new Error('the drain stays ready'),
  );
  const after = performance.now() - began;
  assert.ok(after >= STALLED_MS, `not ready after ${Math.round(after)} ms, which is not standing still yet`);
  assert.match(
    (await readiness(admin)).text,
    new RegExp(`${topic}/1 has 3 records to read and no commit for \\d+ s`),
  );

  receiver.delayMs = 0;
  receiver.cut();
  await poll(
    async () => (await readiness(admin)).status === 200,
    PATIENT,
    () => new Error('the drain stays not ready'),
  );
  assert.equal(receiver.repeats().get(1)?.length, 1, 'the request whose connection was cut, and no other');
});
