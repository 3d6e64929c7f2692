/** Task records keep the time of their source, whatever it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TopicAdmin } from '../../../src/kafka/topic-admin.ts';
import { scrape, trueSeries } from '../../e2e/truth.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { Deployment } from '../../support/deployment.ts';
import { headerOf } from '../../support/read-topic.ts';
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

test('a record whose time its task topic does not take is a dead letter that says what to set; the rest goes on', async (t) => {
  const { penstock, topics, process } = await deploy();
  t.after(() => penstock.close());
  await topics.alter(penstock.topic('all'), { 'message.timestamp.after.max.ms': String(HOUR_MS) });
  const now = Date.now();
  // Each in a step of its own: a task record has the time of the first of its step.
  for (const timestamp of [now, now + 2 * HOUR_MS, now + 1]) {
    await writeRecord(penstock, timestamp);
    await penstock.workersDone();
  }
  const dead = await penstock.read(penstock.dead);
  assert.deepEqual(
    dead.map((letter) => [headerOf(letter, 'penstock-reason'), headerOf(letter, 'penstock-source')]),
    [['invalid_timestamp', `${penstock.raw}/0/1`]],
  );
  assert.match(
    headerOf(dead[0], 'penstock-error'),
    /refuse records for topic .* for their times, .*message\.timestamp\.after\.max\.ms/,
  );
  const sources = (await penstock.read(penstock.topic('all'))).map((record) =>
    headerOf(record, 'penstock-source'),
  );
  assert.ok(!sources.some((source) => source.endsWith('/1-1')), sources.join());
  const samples = (await penstock.read(penstock.topic('all'))).map((record) =>
    Number(headerOf(record, 'penstock-samples')),
  );
  assert.equal(
    samples.reduce((sum, count) => sum + count, 0),
    20,
    'the two others, each once',
  );
  assert.equal((await process.stop()).code, 0);
});
