import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { uncompress } from '../../../src/core/wire/snappy.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { scrape, trueSeries } from '../../lab/generator/true-series.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';

const MIB = 1024 * 1024;
const RECORDS = 24;
const SERIES = 50;

const kafka = await startKafka();
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  routes: [{ name: 'all', task: { labels: ['service'], count: 4 } }],
});
closeAfterTests(penstock, kafka);

test('small records that decompress to more than a step may are published in several, each once', async () => {
  const one = uncompress(scrape(trueSeries(SERIES), 1_760_000_000_000, 1), MIB);
  const copies = Math.ceil((6 * MIB) / one.length);
  const record = zstdCompressSync(Buffer.concat(Array<Buffer>(copies).fill(one)));
  assert.ok(record.length * RECORDS < MIB, 'all of them fit into one step as they are fetched');
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'zstd' };
  await penstock.produce(Array<Buffer>(RECORDS).fill(record), 0, headers);
  await penstock.start(['worker']);
  await penstock.workersDone();

  const tasks = await penstock.read(penstock.topic('all'));
  const samples = tasks.reduce((sum, task) => sum + Number(task.headers!['penstock-samples']), 0);
  assert.equal(samples, SERIES * copies * RECORDS);
  const sources = new Set(tasks.map((task) => String(task.headers!['penstock-source']).split('/')[2]!));
  const ranges = [...sources].map((range) => range.split('-').map(Number)).sort((a, b) => a[0]! - b[0]!);
  assert.ok(ranges.length > 1, [...sources].join());
  let next = 0;
  for (const [first, last] of ranges) {
    assert.equal(first, next);
    next = last! + 1;
  }
  assert.equal(next, RECORDS);
});
