import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { scrape, trueSeries } from '../../e2e/truth.ts';
import { Deployment } from '../../support/deployment.ts';
import { type KafkaCluster, startKafka } from '../../support/servers/kafka.ts';
import { samplesOf } from '../../support/task-samples.ts';

const AWAY_MS = 20_000;
const PARTITIONS = 3;

let kafka: KafkaCluster;
let penstock: Deployment;

before(async () => {
  kafka = await startKafka({ own: true, name: 'broker-away' });
  penstock = await Deployment.create({
    brokers: kafka.brokers,
    rawPartitions: PARTITIONS,
    routes: [{ name: 'all', task: { labels: ['service', 'namespace'], count: 8 } }],
  });
});

after(async () => {
  await penstock?.close();
  await kafka?.close();
});

test('a worker whose broker is away for 20 s goes on with nothing lost or repeated', async () => {
  const { process } = await penstock.start(['worker']);
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
  await kafka.node(0).start();
  await produce(60);
  await penstock.workersDone();

  const found = samplesOf(await penstock.read(penstock.topic('all')));
  assert.equal(found.repeated, 0, 'samples twice in the task topic');
  assert.equal(found.outOfOrder, 0, 'samples out of order within their series');
  assert.equal(found.samples.size, parts.length * 90 * 120, 'samples in the task topic');
  assert.equal((await process.stop()).code, 0);
});
