import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { headerOf, type ReadRecord } from '../../lab/deployment/read-topic.ts';
import { scrape, trueSeries } from '../../lab/generator/true-series.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { samplesOf } from '../../lab/truth/task-samples.ts';
import { closeAfterTests } from '../../support/closing.ts';

const LIMIT_BYTES = 64 * 1024;
const ROUNDS = 12;

const kafka = await startKafka();
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  maxTaskRecord: String(LIMIT_BYTES),
  routes: [{ name: 'all', task: { labels: ['service'], count: 2 } }],
});
closeAfterTests(penstock, kafka);

test('steps larger than a task topic takes arrive in parts that fit, every sample once', async () => {
  // Mostly digits that no other series has: snappy makes them little smaller.
  const series = trueSeries(400).map(({ labels, samples }, index) => ({
    labels: {
      ...labels,
      pod: createHash('shake256', { outputLength: 256 }).update(`${index}`).digest('hex'),
    },
    samples,
  }));
  const bodies = Array.from({ length: ROUNDS }, (_, round) =>
    scrape(series, 1_760_000_000_000 + round * 1000, round),
  );
  for (const body of bodies) await penstock.produce([body]);
  const { process } = await penstock.start(['worker']);
  await penstock.workersDone();
  assert.equal((await process.stop()).code, 0);

  const records = await penstock.read(penstock.topic('all'));
  const steps = Map.groupBy(
    records,
    (record) => `${record.partition} ${headerOf(record, 'penstock-source')}`,
  );
  for (const [step, parts] of steps) {
    const expected = parts.map((_, index) => `${index + 1}/${parts.length}`);
    assert.deepEqual(
      parts.map((record) => headerOf(record, 'penstock-part')),
      parts.length > 1 ? expected : [''],
      step,
    );
  }
  const bytes = (of: readonly ReadRecord[]) => of.map(({ value }) => value!.length);
  assert.ok(Math.max(...bytes(records)) <= LIMIT_BYTES, `records of ${bytes(records)} bytes`);
  const total = [...steps.values()].map((parts) => bytes(parts).reduce((sum, length) => sum + length));
  assert.ok(Math.max(...total) > LIMIT_BYTES, `steps of ${total} bytes: none had to be split`);

  const found = samplesOf(records);
  assert.equal(found.repeated, 0);
  assert.equal(found.outOfOrder, 0);
  const byPod = [...found.samples].map(([key, value]) => [key.replace(/.*pod="(\w+)".*@/, '$1@'), value]);
  const truth = series.flatMap(({ labels: { pod }, samples }) =>
    [...samples].map(([time, value]) => [`${pod}@${time}`, value] as const),
  );
  assert.deepEqual(new Map(byPod as [string, number][]), new Map(truth));
  assert.deepEqual(await penstock.read(penstock.dead), []);
});
