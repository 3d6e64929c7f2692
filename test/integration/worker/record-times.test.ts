/** Task records keep the time of their source, whatever it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TopicAdmin } from '../../../src/kafka/topic-admin.ts';
import { scrape, trueSeries } from '../../e2e/truth.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { Deployment } from '../../support/deployment.ts';
import { startKafka } from '../../support/servers/kafka.ts';

const HOUR_MS = 3_600_000;
const START_MS = 1_760_000_000_000;
const BODY = scrape(trueSeries(10), START_MS, 0);

const kafka = await startKafka();
closeAfterTests(kafka);

/** A worker whose ingest topic takes any time. */
async function deploy() {
  const penstock = await Deployment.create({
    brokers: kafka.brokers,
    routes: [{ name: 'all', task: { labels: ['service'], count: 1 } }],
  });
  const topics = new TopicAdmin(penstock.admin);
  await topics.alter(penstock.raw, { 'message.timestamp.after.max.ms': '9223372036854775807' });
  const { process } = await penstock.start(['worker']);
  return { penstock, topics, process };
}

function writeRecord({ producer, raw: topic }: Deployment, timestamp: number): Promise<void> {
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
  return producer.send([{ topic, partition: 0, key: null, value: BODY, headers, timestamp }]);
}

test('a record whose time is hours ahead gets through', async (t) => {
  const { penstock, process } = await deploy();
  t.after(() => penstock.close());
  const ahead = Date.now() + 2 * HOUR_MS;
  await writeRecord(penstock, ahead);
  await penstock.workersDone();
  assert.deepEqual(
    (await penstock.read(penstock.topic('all'))).map(({ timestamp }) => timestamp),
    [String(ahead)],
  );
  assert.equal((await process.stop()).code, 0);
});

test('a task topic that does not take such a time ends the worker, which says what to set', async (t) => {
  const { penstock, topics, process } = await deploy();
  t.after(() => penstock.close());
  await topics.alter(penstock.topic('all'), { 'message.timestamp.after.max.ms': String(HOUR_MS) });
  await writeRecord(penstock, Date.now() + 2 * HOUR_MS);
  assert.equal((await process.waitForExit({ timeoutMs: 60_000 })).code, 1);
  assert.match(
    process.log(),
    /refuse records for topic .* for their times, .*message\.timestamp\.after\.max\.ms/,
  );
});
