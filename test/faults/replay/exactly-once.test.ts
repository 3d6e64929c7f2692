import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { uniqueName } from '../../lab/names.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';
import {
  foundRecords,
  listed,
  range,
  replay,
  replayAction,
  SAMPLES_PER_RECORD,
  startReplay,
  untilWritten,
  writeHistory,
  written,
} from '../../support/replay-history.ts';

const kafka = await startKafka();
closeAfterTests(kafka);

/** Rules that the worker of the history did not have yet. */
const CHANGED_RULES = [{ action: 'replace', target_label: 'rules', replacement: 'new' }];

async function deploy(rawPartitions = 2): Promise<Deployment> {
  return await Deployment.create({
    brokers: kafka.brokers,
    rawPartitions,
    routes: [{ name: 'all', task: { labels: ['service'], count: 4 }, relabel: CHANGED_RULES }],
  });
}

/** Slow enough to be met in the middle, also where a command takes seconds to start. */
const SLOWLY = ['--rate', '300'];

test('re-routing with changed rules is exactly once after two kills, and ends although producers go on', async () => {
  const penstock = await deploy();
  const output = uniqueName('output');
  const id = uniqueName('rules');
  const records = 3_000;
  await writeHistory(penstock, { records, partition: 0 });
  await writeHistory(penstock, { records, partition: 1 });

  const into = ['--from', '-1h', '--to-route', 'all', '--output-topic', output];
  let process = startReplay(penstock, ...into, '--id', id, ...SLOWLY);
  await process.waitForLog(/begins: 6,000 offsets in 2 partitions/, { timeoutMs: 60_000 });
  let more = records;
  for (let kill = 0; kill < 2; kill++) {
    await untilWritten(penstock, output, await written(penstock, output), process);
    await process.kill();
    await writeHistory(penstock, { records: 100, first: more });
    more += 100;
    process = startReplay(penstock, '--resume', id, ...(kill === 0 ? SLOWLY : []));
  }
  const { code } = await process.waitForExit({ timeoutMs: 120_000 });
  assert.equal(code, 0, process.log());
  assert.match(process.log(), /goes on at \d+\.\d %/);

  const { numbers, found } = await foundRecords(penstock, output);
  assert.deepEqual([found.repeated, found.outOfOrder], [0, 0]);
  assert.deepEqual(Object.fromEntries(numbers), { 0: range(0, records), 1: range(0, records) });
  assert.ok([...found.samples.keys()].every((key) => key.includes('rules="new"')));
  assert.equal(await written(penstock, penstock.topic('all')), 0n, 'the live task topic is left alone');

  const state = await listed(penstock, id);
  assert.deepEqual(
    [state?.state, state?.share, state?.samples],
    ['done', 1, 2 * records * SAMPLES_PER_RECORD],
  );
  const again = await replay(penstock, '--resume', id);
  assert.deepEqual([again.code, /is done since/.test(again.stdout)], [0, true], again.stderr);
  await penstock.close();
});

test('a replay is stopped from elsewhere, listed, and goes on', async () => {
  const penstock = await deploy(1);
  const output = uniqueName('output');
  const id = uniqueName('stopped');
  const records = 4_000;
  await writeHistory(penstock, { records });
  const process = startReplay(
    penstock,
    ...['--from', '-1h', '--to-route', 'all', '--output-topic', output, '--id', id, ...SLOWLY],
  );
  await untilWritten(penstock, output, 0n, process);
  assert.equal((await listed(penstock, id))?.state, 'running');
  const stop = await replayAction(penstock, 'stop', id);
  assert.deepEqual([stop.code, stop.stderr], [0, '']);
  assert.match(stop.stdout, /has stopped at \d+\.\d %; penstock replay --resume/);
  assert.equal((await process.waitForExit()).code, 1, 'stopped before its end');
  assert.match(process.log(), new RegExp(`stopped at .*\npenstock replay --resume ${id} goes on`));
  const stopped = await listed(penstock, id);
  assert.equal(stopped?.state, 'stopped');
  assert.ok(stopped.share > 0 && stopped.share < 1, String(stopped.share));
  const taken = await replay(
    penstock,
    '--from',
    '-1h',
    '--to-route',
    'all',
    '--output-topic',
    output,
    '--id',
    id,
  );
  assert.equal(taken.code, 1);
  assert.match(taken.stderr, /there is a replay \S+ already/);

  // By a signal, too.
  const second = startReplay(penstock, '--resume', id, ...SLOWLY);
  await untilWritten(penstock, output, await written(penstock, output), second);
  assert.equal((await second.stop()).code, 1);
  assert.equal((await listed(penstock, id))?.state, 'stopped');

  const rest = await replay(penstock, '--resume', id, '--json');
  assert.equal(rest.code, 0, rest.stderr);
  const { end, samples } = JSON.parse(rest.stdout) as { end: string; samples: number };
  assert.deepEqual([end, samples], ['done', records * SAMPLES_PER_RECORD]);
  const { numbers, found } = await foundRecords(penstock, output);
  assert.deepEqual([found.repeated, found.outOfOrder], [0, 0]);
  assert.deepEqual(Object.fromEntries(numbers), { 0: range(0, records) });
  await penstock.close();
});

test('a replay that was taken over while it slept ends when it wakes, and has written nothing', async () => {
  const penstock = await deploy(1);
  const output = uniqueName('output');
  const id = uniqueName('asleep');
  const records = 4_000;
  await writeHistory(penstock, { records });
  const sleeper = startReplay(
    penstock,
    ...['--from', '-1h', '--to-route', 'all', '--output-topic', output, '--id', id, ...SLOWLY],
  );
  await untilWritten(penstock, output, 0n, sleeper);
  sleeper.pause();
  const successor = await replay(penstock, '--resume', id);
  assert.equal(successor.code, 0, successor.stderr);
  sleeper.resume();
  const { code } = await sleeper.waitForExit({ timeoutMs: 60_000 });
  assert.equal(code, 1);
  assert.match(sleeper.log(), /was resumed by another process/);
  const { numbers, found } = await foundRecords(penstock, output);
  assert.deepEqual([found.repeated, found.outOfOrder], [0, 0]);
  assert.deepEqual(Object.fromEntries(numbers), { 0: range(0, records) });
  assert.equal((await listed(penstock, id))?.state, 'done');
  await penstock.close();
});
