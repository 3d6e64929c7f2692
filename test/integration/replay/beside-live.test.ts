import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeGroups } from '../../../src/io/kafka/admin/group-description.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { metricOf } from '../../lab/deployment/running.ts';
import { uniqueName } from '../../lab/names.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { foundRecords, range, replay, writeHistory, written } from '../../support/replay-history.ts';

const kafka = await startKafka();
closeAfterTests(kafka);

async function deploy(): Promise<Deployment> {
  return await Deployment.create({
    brokers: kafka.brokers,
    rawPartitions: 4,
    routes: [{ name: 'all', task: { labels: ['service'], count: 4 } }],
  });
}

test('a replay leaves the offsets and the assignment of the live group alone', async () => {
  const penstock = await deploy();
  const { admin, group, raw } = penstock;
  const live = penstock.topic('all');
  for (const partition of range(0, 4)) await writeHistory(penstock, { records: 500, partition });
  const workers = [await penstock.start(['worker']), await penstock.start(['worker'])];
  await penstock.workersDone();
  /** Member ids are the broker's: a member that had to join anew has another one. */
  const observed = async () => ({
    group: (await describeGroups(admin, [group])).get(group),
    offsets: await admin.committedOffsets(group, raw),
    written: await written(penstock, live),
  });
  await poll(
    async () => {
      const { members = [], state } = (await observed()).group ?? {};
      return state === 'Stable' && members.every(({ partitions }) => partitions.get(raw)?.length === 2);
    },
    { timeoutMs: 120_000 },
    () => new Error('the two workers have not shared the partitions'),
  );
  const before = await observed();
  assert.equal(before.group?.members.length, 2);

  const output = uniqueName('output');
  const run = await replay(penstock, '--from', '-1h', '--to-route', 'all', '--output-topic', output);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(await observed(), before);
  const { numbers } = await foundRecords(penstock, output);
  assert.deepEqual(
    [...numbers.values()].map(({ length }) => length),
    [500, 500, 500, 500],
  );
  for (const { process } of workers) assert.equal(process.exit, undefined);
  await penstock.close();
});

test('a replay waits while the live flow lags more than it may', async () => {
  const penstock = await deploy();
  await writeHistory(penstock, { records: 1_000 });
  const output = uniqueName('output');
  const into = ['--from', '-1h', '--to-route', 'all', '--output-topic', output];
  const running = await penstock.launch(['replay', ...into, '--yield-lag', '100']);
  const { process } = running;
  // Nobody has read anything yet: all of it is lag.
  await process.waitForLog(/waiting: workers and drains are 1,000 records behind/, { timeoutMs: 60_000 });
  await process.waitForLog(/0\.0 %, 0 samples, 0 samples\/s, waiting: /, { timeoutMs: 60_000 });
  assert.equal(await written(penstock, output), 0n);
  assert.equal(await metricOf(running, 'penstock_replay_yielding'), 1);
  assert.equal(await metricOf(running, 'penstock_replay_lag_records{partition="0"}'), 1000);
  assert.equal(await metricOf(running, 'penstock_replay_samples_total'), 0);
  await penstock.start(['worker']);
  const { code } = await process.waitForExit({ timeoutMs: 120_000 });
  assert.equal(code, 0, process.log());
  assert.match(process.log(), /: goes on\n/);
  assert.deepEqual((await foundRecords(penstock, output)).numbers.get('0'), range(0, 1_000));
  await penstock.close();
});
