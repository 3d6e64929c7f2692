/** What an operator is told of in an outage: by the metrics, and by `penstock status`. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { createOwnership } from '../../src/core/hash/ownership.ts';
import { drainGroupId } from '../../src/services/drain/assignment.ts';
import { Deployment } from '../lab/deployment/deployment.ts';
import { runPenstock } from '../lab/deployment/penstock.ts';
import { RecordingReceiver } from '../lab/nodes/recording-receiver.ts';
import { freePort } from '../lab/ports.ts';
import { poll } from '../lab/process.ts';
import { startKafka } from '../lab/servers/kafka.ts';
import { closeAfterTests } from '../support/closing.ts';

const COUNT = 6;
const GOOD = 'node-good';
const DOWN = 'node-down';
const WRONG = 'node-wrong';
const NODES = [GOOD, DOWN, WRONG];

/** Answers as a vmagent does to a path that it does not know. */
const wrongPath = createServer((request, response) => {
  request.resume().on('end', () => response.writeHead(400).end('unsupported path requested: "/api/wrong"'));
});
await new Promise<void>((resolve) => wrongPath.listen(0, '127.0.0.1', resolve));
const good = await RecordingReceiver.open();
const kafka = await startKafka({ own: true });
const deployment = await Deployment.create({
  brokers: kafka.brokers,
  rawPartitions: 2,
  routes: [{ name: 'r', task: { labels: ['service'], count: COUNT } }],
  nodes: [
    { name: GOOD, url: `${good.url}/api/v1/write` },
    { name: DOWN, url: `http://127.0.0.1:${await freePort()}/api/v1/write` },
    { name: WRONG, url: `http://127.0.0.1:${(wrongPath.address() as AddressInfo).port}/api/wrong` },
  ],
});
closeAfterTests(deployment, kafka, good, {
  close: () => {
    wrongPath.closeAllConnections();
    wrongPath.close();
  },
});

const topic = deployment.topic('r');
const tasksOf = (node: string) =>
  createOwnership([{ topic, count: COUNT }], NODES, 'balanced').tasksOf(topic, node, 0);

/** Series of many services: every task gets some. */
const body = () =>
  Buffer.from(Array.from({ length: 200 }, (_, at) => `up,service=s${at} value=${at}`).join('\n'));

async function run(args: string[], code = 0): Promise<{ stdout: string; stderr: string; ms: number }> {
  const started = performance.now();
  const result = await runPenstock(args, { configFile: deployment.configFile });
  assert.equal(result.code, code, result.stderr);
  return { ...result, ms: performance.now() - started };
}

const problemsIn = (text: string) => text.replaceAll('\n  ', ' ').match(/^! .*$/gm) ?? [];

async function problems(): Promise<string[]> {
  return problemsIn((await run(['status'])).stdout);
}

/** Values of a metric by their labels. */
async function scraped(admin: string, name: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const lines = text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'));
  return new Map([...lines].map(([, labels = '', value]) => [labels, Number(value)]));
}

describe('an outage', () => {
  it('of nodes is told by status, a line each with what the node answers, and drift of a topic too', async () => {
    await deployment.start(['worker']);
    for (const node of NODES) await deployment.start(['drain'], { PENSTOCK_DRAIN_NODE: node });
    await deployment.produce([body()]);
    let told: string[] = [];
    await poll(
      async () => (told = await problems()).length === 2,
      {},
      () => new Error(`expected two problems: ${told.join('\n')}`),
    );
    const stuck = (node: string) => new RegExp(`^! ${node} does not take what its drains send: partition `);
    assert.match(told[0]!, stuck(DOWN));
    assert.match(told[0]!, /asked from here, http:\S+: .*ECONNREFUSED/);
    assert.match(told[1]!, stuck(WRONG));
    assert.match(told[1]!, /answered 400: unsupported path requested/);

    const admin = await deployment.admin.client();
    const policy = [{ name: 'cleanup.policy', value: 'compact' }];
    const resources = [{ type: 2, name: deployment.raw, configEntries: policy }];
    await admin.alterConfigs({ validateOnly: false, resources });
    told = await problems();
    assert.equal(told.length, 3);
    assert.match(told[0]!, new RegExp(`^! topic ${deployment.raw}: cleanup\\.policy is compact`));
  });

  it('of a drain leaves the lag of its partitions known, told by one process', async () => {
    const [worker] = deployment.running;
    const drains = deployment.running.slice(1);
    await drains[1]!.process.stop();
    const group = drainGroupId(topic, DOWN);
    const lags = async (admin: string) =>
      [...(await scraped(admin, 'penstock_consumer_lag_records'))].filter(([labels]) =>
        labels.includes(`group="${group}"`),
      );
    await poll(
      async () => (await lags(worker!.admin)).length === tasksOf(DOWN).length,
      {},
      () => new Error('the worker does not tell the lag of partitions that nobody reads'),
    );
    const seen = await lags(worker!.admin);
    assert.ok(
      seen.some(([, lag]) => lag > 0),
      JSON.stringify(seen),
    );
    const unread = await scraped(worker!.admin, 'penstock_unread_partitions');
    assert.equal(unread.get(`group="${group}",topic="${topic}"`), tasksOf(DOWN).length);
    for (const { admin } of [drains[0]!, drains[2]!]) assert.deepEqual(await lags(admin), []);
  });

  it('of Kafka changes the metrics of every process within a minute, and status does not hang', async () => {
    const [worker] = deployment.running;
    const one = async (name: string) => [...(await scraped(worker!.admin, name)).values()];
    assert.deepEqual(await one('penstock_ready'), [1]);
    assert.ok((await one('penstock_consumer_lag_records')).length > 0);
    kafka.node(0).pause();
    try {
      const { stderr, ms } = await run(['status', '--timeout', '7s'], 1);
      assert.match(stderr, /Kafka \(127\.0\.0\.1:\d+\) has not answered for 5 s; still trying/);
      assert.match(stderr, /has not answered all that was asked within 7 s \(--timeout\)/);
      assert.ok(ms < 60_000, `${ms} ms`);
      await poll(
        async () => (await one('penstock_ready'))[0] === 0,
        {},
        () => new Error('the worker says that it is ready while Kafka is frozen'),
      );
      await poll(
        async () => (await one('penstock_consumer_lag_unknown_partitions'))[0] === 2,
        {},
        () => new Error('the worker says that it knows its lag while Kafka is frozen'),
      );
      const own = `group="${deployment.group}"`;
      const lag = await scraped(worker!.admin, 'penstock_consumer_lag_records');
      assert.deepEqual(
        [...lag.keys()].filter((labels) => labels.includes(own)),
        [],
      );
      assert.ok((await one('penstock_group_silent_seconds'))[0]! > 6);
    } finally {
      kafka.node(0).resume();
    }
    await poll(
      async () =>
        (await one('penstock_ready'))[0] === 1 &&
        (await one('penstock_consumer_lag_unknown_partitions'))[0] === 0,
      {},
      () => new Error('the worker does not see that Kafka is back'),
    );
  });
});
