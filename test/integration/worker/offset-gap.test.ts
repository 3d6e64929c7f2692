import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { spawnPenstock } from '../../lab/deployment/penstock.ts';
import { scrape, trueSeries } from '../../lab/generator/true-series.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { samplesOf } from '../../lab/truth/task-samples.ts';
import { closeAfterTests } from '../../support/closing.ts';

const START_MS = 1_760_000_000_000;

const kafka = await startKafka();
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  routes: [{ name: 'all', task: { labels: ['service'], count: 2 } }],
});
closeAfterTests(penstock, kafka);

test('a worker reports what retention took before it was read, and goes on or stops as on_offset_gap says', async () => {
  const series = trueSeries(1);
  let round = 0;
  const produce = async (records: number) => {
    for (const end = round + records; round < end; round += 1) {
      await penstock.produce([scrape(series, START_MS + round, round)]);
    }
  };
  await produce(5);
  const first = await penstock.start(['worker']);
  await penstock.workersDone();
  assert.equal((await first.process.stop()).code, 0);

  await produce(10);
  await penstock.deleteBefore(12);
  const second = await penstock.start(['worker']);
  await penstock.workersDone();
  const metrics = await (await fetch(`${second.admin}/metrics`)).text();
  assert.match(
    metrics,
    new RegExp(`^penstock_offset_gap_records_total\\{topic="${penstock.raw}",reason="retention"\\} 7$`, 'm'),
  );
  await second.process.waitForLog(gap(5, 11));
  assert.equal((await second.process.stop()).code, 0);
  const found = samplesOf(await penstock.read(penstock.topic('all')));
  assert.deepEqual(
    [...found.samples.values()],
    [0, 1, 2, 3, 4, 12, 13, 14].map((number) => number * 17),
  );

  await produce(5);
  await penstock.deleteBefore(17);
  const third = spawnPenstock(['worker'], {
    configFile: penstock.configFile,
    env: { PENSTOCK_ADMIN_LISTEN: '127.0.0.1:0', PENSTOCK_WORKER_ON_OFFSET_GAP: 'stop' },
  });
  try {
    assert.deepEqual(await third.waitForExit(), { code: 1, signal: null });
    assert.match(third.log(), gap(15, 16));
    assert.match(
      third.log(),
      /and on_offset_gap is stop\. Check the topic's retention; set on_offset_gap: continue/,
    );
  } finally {
    await third.discard();
  }
  assert.equal((await penstock.admin.committedOffsets(penstock.group, penstock.raw)).get(0), 15n);
});

function gap(from: number, to: number): RegExp {
  return new RegExp(`${penstock.raw}/0: the records ${from} to ${to} were gone before they were read`);
}
