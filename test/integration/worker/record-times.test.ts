/** Task records have the time of writing, whatever the time of their source: retention counts from there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TopicAdmin } from '../../../src/io/kafka/admin/topic-admin.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { readMetrics } from '../../lab/deployment/metrics-page.ts';
import { headerOf } from '../../lab/deployment/read-topic.ts';
import { scrape, trueSeries } from '../../lab/generator/true-series.ts';
import { uniqueName } from '../../lab/names.ts';
import { RecordingReceiver } from '../../lab/nodes/recording-receiver.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';

const HOUR_MS = 3_600_000;
const SERIES = trueSeries(10);
const ANY_TIME = '9223372036854775807';

const [kafka, node] = await Promise.all([
  startKafka({
    name: 'record-times',
    properties: {
      'log.retention.check.interval.ms': '1000',
      'log.initial.task.delay.ms': '500',
      'log.message.timestamp.after.max.ms': ANY_TIME,
    },
  }),
  RecordingReceiver.open(),
]);
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  routes: [{ name: 'all', task: { labels: ['service'], count: 1 } }],
  rawRetention: '7d',
  nodes: [{ name: 'node-0', url: node.url }],
  drain: { node: 'node-0' },
  worker: { delivery: 'at_least_once' },
});
closeAfterTests(penstock, node, kafka);
const topics = new TopicAdmin(penstock.admin);
// As of an operator, or an earlier version: the brokers' own time would hide what the worker writes.
await topics.alter(penstock.topic('all'), { 'message.timestamp.type': 'CreateTime' });

async function write(records: readonly { readonly timeMs: number; readonly round: number }[]): Promise<void> {
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
  await penstock.producer.send(
    records.map(({ timeMs, round }) => ({
      topic: penstock.raw,
      partition: 0,
      key: null,
      value: scrape(SERIES, timeMs, round),
      headers,
      timestamp: timeMs,
    })),
  );
}

async function isEmptied(topic: string): Promise<boolean> {
  const { low, high } = (await penstock.admin.offsetBounds(topic)).get(0)!;
  return low === high;
}

/** Resolves when brokers have looked through all topics for what retention takes, twice since the call. */
async function retentionHasRun(): Promise<void> {
  for (let pass = 0; pass < 2; pass += 1) {
    const topic = uniqueName('canary');
    const settings = { 'retention.ms': String(24 * HOUR_MS), 'message.timestamp.type': 'CreateTime' };
    await topics.create({ topic, partitions: 1, replicationFactor: 1, settings });
    await topics.waitUntilUsable(new Map([[topic, 1]]), 60_000);
    const timestamp = Date.now() - 25 * HOUR_MS;
    const value = Buffer.from('old');
    await penstock.producer.send([{ topic, partition: 0, key: null, value, headers: {}, timestamp }]);
    await poll(
      () => isEmptied(topic),
      {},
      () => new Error('retention does not run'),
    );
  }
}

test('a worker 25 h behind loses nothing: the drain gets every sample, and latency counts from the source', async () => {
  const start = Date.now() - 25 * HOUR_MS;
  await write(Array.from({ length: 100 }, (_, round) => ({ timeMs: start + round * 1000, round })));
  const worker = await penstock.start(['worker']);
  await penstock.workersDone();
  const before = Date.now();
  await retentionHasRun();

  const records = await penstock.read(penstock.topic('all'));
  const age = (ms: number) => before - ms;
  for (const record of records) {
    assert.ok(Math.abs(age(Number(record.timestamp))) < HOUR_MS, `written at ${record.timestamp}`);
    assert.ok(age(Number(headerOf(record, 'penstock-timestamp'))) > 24 * HOUR_MS);
  }
  const drain = await penstock.start(['drain']);
  await poll(
    () => node.samples.size === 1_000,
    {},
    () => new Error(`the node has ${node.samples.size} of 1000 samples`),
  );
  const page = await readMetrics(drain);
  const seconds = page.sum('penstock_deliver_latency_seconds_sum');
  const count = page.sum('penstock_deliver_latency_seconds_count');
  assert.ok(seconds / count > 24 * 3600, `${seconds} s of ${count} records`);
  for (const { process } of [worker, drain]) assert.equal((await process.stop()).code, 0);
});

test('a time far ahead gets through, and keeps no segment of the task topic for ever', async () => {
  const ahead = Date.now() + 10 * 365 * 24 * HOUR_MS;
  await write([{ timeMs: ahead, round: 0 }]);
  const worker = await penstock.start(['worker'], { PENSTOCK_WORKER_LIMITS_MAX_FUTURE: '0' });
  await penstock.workersDone();
  const last = (await penstock.read(penstock.topic('all'))).at(-1);
  assert.equal(headerOf(last, 'penstock-timestamp'), String(ahead));
  await topics.alter(penstock.topic('all'), { 'retention.ms': '1000' });
  await poll(
    () => isEmptied(penstock.topic('all')),
    { timeoutMs: 60_000 },
    () => new Error('retention does not take it'),
  );
  assert.equal((await worker.process.stop()).code, 0);
});
