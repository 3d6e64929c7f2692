/** Groups that were away for longer than brokers keep what they have committed, on a Kafka that forgets it after a minute. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { drainGroupId } from '../../../src/services/drain/assignment.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { readMetrics } from '../../lab/deployment/metrics-page.ts';
import { spawnPenstock } from '../../lab/deployment/penstock.ts';
import type { Running } from '../../lab/deployment/running.ts';
import { scrape, trueSeries } from '../../lab/generator/true-series.ts';
import { RecordingReceiver } from '../../lab/nodes/recording-receiver.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';

const RECORDS = 20;

const [kafka, node] = await Promise.all([
  startKafka({
    name: 'forgotten',
    properties: { 'offsets.retention.minutes': '1', 'offsets.retention.check.interval.ms': '1000' },
  }),
  RecordingReceiver.open(),
]);
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  routes: [{ name: 'all', task: { labels: ['service'], count: 1 } }],
  nodes: [{ name: 'node-0', url: node.url }],
  drain: { node: 'node-0' },
});
closeAfterTests(penstock, node, kafka);
const tasks = penstock.topic('all');
const groups: readonly [string, string][] = [
  [penstock.group, penstock.raw],
  [drainGroupId(tasks, 'node-0'), tasks],
];

const COMMANDS = [
  { args: ['worker'], policy: 'PENSTOCK_WORKER_ON_OFFSET_GAP', topic: penstock.raw },
  { args: ['drain'], policy: 'PENSTOCK_DRAIN_ON_OFFSET_GAP', topic: tasks },
] as const;

/** Records missing where reading began, by reason. */
async function gaps(running: Running, topic: string): Promise<Map<string, number>> {
  const lines = (await readMetrics(running)).find('penstock_offset_gap_records_total', { topic });
  const missing = lines.filter(({ value }) => value > 0);
  return new Map(missing.map(({ labels, value }) => [labels['reason']!, value]));
}

/** How often a command says that what was committed is gone. */
const said = ({ process }: Running) => process.log().split('what was committed is gone').length - 1;

test('a group whose offsets have expired is not one that never read: it is said, counted, and may stop', async () => {
  const series = trueSeries(5);
  const start = Date.now();
  await penstock.produce(Array.from({ length: RECORDS }, (_, round) => scrape(series, start + round, round)));
  const first: Running[] = [];
  for (const { args } of COMMANDS) first.push(await penstock.start([...args]));
  await penstock.workersDone();
  for (const [group, topic] of groups) await penstock.noLag(group, topic);
  assert.equal(node.samples.size, 5 * RECORDS);
  for (const [index, command] of first.entries()) {
    assert.deepEqual(
      [...(await gaps(command, COMMANDS[index]!.topic))],
      [],
      'the first time nothing is missing',
    );
    assert.equal(said(command), 0);
    assert.equal((await command.process.stop()).code, 0);
  }

  await poll(
    async () => {
      await sleep(1_000);
      for (const [group, topic] of groups) {
        if ((await penstock.admin.committedOffsets(group, topic)).size > 0) return false;
      }
      return true;
    },
    { timeoutMs: 180_000 },
    () => new Error('brokers have not forgotten what was committed'),
  );
  for (const { args, policy, topic } of COMMANDS) {
    const stopped = spawnPenstock([...args], {
      configFile: penstock.configFile,
      env: { PENSTOCK_ADMIN_LISTEN: '127.0.0.1:0', [policy]: 'stop' },
    });
    assert.deepEqual(await stopped.waitForExit(), { code: 1, signal: null }, stopped.log());
    assert.match(
      stopped.log(),
      new RegExp(`${topic}/0: .*what was committed is gone.*on_offset_gap is stop`),
    );
    assert.equal(
      (await penstock.admin.committedOffsets(penstock.group, penstock.raw)).size,
      topic === tasks ? 1 : 0,
    );

    const goesOn = await penstock.start([...args]);
    await goesOn.process.waitUntil('it says so', () => said(goesOn) > 0);
    assert.ok(((await gaps(goesOn, topic)).get('expired') ?? 0) > 0);
    if (topic === penstock.raw) await penstock.workersDone();
  }
  // What is kept is read again: nothing that was not read may be passed over.
  for (const [group, topic] of groups) await penstock.noLag(group, topic);
  assert.equal(node.samples.size, 5 * RECORDS);
  assert.ok(node.repeated > 0);
});
