import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { readiness } from '../../lab/deployment/running.ts';
import { scrape, trueSeries } from '../../lab/generator/true-series.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { samplesOf } from '../../lab/truth/task-samples.ts';
import { closeAfterTests } from '../../support/closing.ts';

const AWAY_MS = 20_000;
const PARTITIONS = 3;

const kafka = await startKafka({ own: true, name: 'broker-away' });
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  rawPartitions: PARTITIONS,
  routes: [{ name: 'all', task: { labels: ['service', 'namespace'], count: 8 } }],
});
closeAfterTests(penstock, kafka);

test('a worker whose broker is away for 20 s is not ready, and goes on with nothing lost or repeated', async () => {
  const { process, admin } = await penstock.start(['worker']);
  const parts = Array.from({ length: PARTITIONS }, (_, part) =>
    trueSeries(90).map(({ labels, samples }) => ({ labels: { ...labels, part: String(part) }, samples })),
  );
  let round = 0;
  const produce = async (rounds: number) => {
    for (const end = round + rounds; round < end; round += 1) {
      for (const [part, series] of parts.entries()) {
        await penstock.produce([scrape(series, 1_760_000_000_000 + round * 1000, round)], part);
      }
    }
  };
  await produce(60);
  await kafka.node(0).kill(); // in the middle of what it does
  await new Promise((resolve) => setTimeout(resolve, AWAY_MS));
  assert.equal(process.exit, undefined, 'the worker waits');
  assert.equal((await readiness(admin)).status, 503);
  await kafka.node(0).start();
  await becomes(200, admin);
  await produce(60);
  await penstock.workersDone();

  const found = samplesOf(await penstock.read(penstock.topic('all')));
  assert.equal(found.repeated, 0, 'samples twice in the task topic');
  assert.equal(found.outOfOrder, 0, 'samples out of order within their series');
  assert.equal(found.samples.size, parts.length * 90 * 120, 'samples in the task topic');
  assert.equal((await process.stop()).code, 0);
});

test('a worker whose broker hangs is not ready and says why; it is again when the broker answers', async () => {
  const { process, admin } = await penstock.start(['worker']);
  kafka.node(0).pause(); // its connections stay open
  await becomes(503, admin);
  const expected = new RegExp(`the consumer group ${penstock.group} has not answered for \\d+ s`);
  assert.match((await readiness(admin)).text, expected);
  kafka.node(0).resume();
  await becomes(200, admin);
  assert.equal((await process.stop()).code, 0);
});

async function becomes(status: number, admin: string): Promise<void> {
  await poll(
    async () => (await readiness(admin)).status === status,
    {},
    () => new Error(`/-/ready does not become ${status}`),
  );
}
