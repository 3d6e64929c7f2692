import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { readMetrics } from '../../lab/deployment/metrics-page.ts';
import { runPenstock } from '../../lab/deployment/penstock.ts';
import { headerOf } from '../../lab/deployment/read-topic.ts';
import { metricOf, type Running } from '../../lab/deployment/running.ts';
import { uniqueName } from '../../lab/names.ts';
import { NodeReceiver, numberedBody } from '../../lab/nodes/node-receiver.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { CopyingWorker, stopCopyingWorkers } from '../../support/copying-worker.ts';
import { TestKafka } from '../../support/kafka-data.ts';
import { produceRaw, rawBatch, rawRecords, ZSTD } from '../../support/raw-batch.ts';

const kafka = await startKafka();
const admin = new TestKafka(kafka.brokers);
closeAfterTests({ close: stopCopyingWorkers }, admin, kafka);

const MIB = 1024 * 1024;
const line = (name: string) => `${name},service=a value=1 1760000000000000000`;
const deploy = (worker = {}) =>
  Deployment.create({
    brokers: kafka.brokers,
    routes: [{ name: 'all', task: { labels: ['service'], count: 1 } }],
    worker: { encoding: 'influx', ...worker },
  });

/** A record of 70 MiB in some KB: more than a batch of this size may come to. Brokers take it. */
const bomb = () =>
  rawBatch({
    body: zstdCompressSync(rawRecords([{ value: Buffer.alloc(70 * MIB, 'x') }, { value: 'y' }])),
    count: 2,
    codec: ZSTD,
  });

/** A batch in two frames, with one between them that is to be skipped. */
function inTwoFrames(): Buffer {
  const [first, second] = ['one', 'two'].map((name, index) => ({ value: line(name), offsetDelta: index }));
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7]);
  const frames = [zstdCompressSync(rawRecords([first!])), skippable, zstdCompressSync(rawRecords([second!]))];
  return rawBatch({ body: Buffer.concat(frames), count: 2, codec: ZSTD });
}

const skip = (penstock: Deployment, ...args: string[]) =>
  runPenstock(['dead', 'skip', ...args], { configFile: penstock.configFile });

const corrupt = async (worker: Running) => (await readMetrics(worker)).sum('penstock_corrupt_batches_total');

test('penstock dead skip passes over a batch that cannot be read while the worker runs', async () => {
  const penstock = await deploy();
  const worker = await penstock.start(['worker']);
  await produceRaw(kafka.brokers, penstock.raw, 0, inTwoFrames());
  const bad = await produceRaw(kafka.brokers, penstock.raw, 0, bomb());
  await penstock.produce([Buffer.from(line('three'))], 0);
  assert.equal(bad, 2n);
  await poll(
    async () => (await metricOf(worker, 'penstock_held_up_partitions')) === 1,
    {},
    () => new Error('the partition was not held up'),
  );

  const wrong = await skip(penstock, penstock.raw, '0', '3');
  assert.equal(wrong.code, 1);
  assert.match(
    wrong.stderr,
    /no record batch that cannot be read begins at 3; expected 2: .*more than is read/,
  );
  assert.match((await skip(penstock, penstock.raw, '0', '0')).stderr, /expected 2/);
  assert.match((await skip(penstock, penstock.raw, '7', '2')).stderr, /has no partition 7/);
  assert.match((await skip(penstock, 'other', '0', '2')).stderr, /no worker or drain .* reads other/);

  const right = await skip(penstock, penstock.raw, '0', '2');
  assert.equal(right.code, 0, right.stderr);
  assert.match(right.stdout, /offsets 2 to 3 \(\d+ bytes\) is passed over, and kept in /);
  await penstock.workersDone();
  const [letter, ...others] = await penstock.read(penstock.dead);
  assert.equal(others.length, 0);
  assert.equal(headerOf(letter, 'penstock-reason'), 'corrupt_batch');
  assert.equal(headerOf(letter, 'penstock-source'), `${penstock.raw}/0/2`);
  assert.equal(headerOf(letter, 'penstock-batch'), '2-3');
  // The broker has put its offset and times in; what follows is as it was sent.
  assert.deepEqual(letter!.value!.subarray(61), bomb().subarray(61));
  assert.equal((await penstock.read(penstock.topic('all'))).length >= 2, true);
  assert.equal(await metricOf(worker, 'penstock_held_up_partitions'), undefined);
  assert.equal(await corrupt(worker), 1);

  const again = await skip(penstock, penstock.raw, '0', '2');
  assert.match(again.stderr, /nothing is to be skipped at 2: the group .* is at 5, the end/);
  const redrive = await runPenstock(['dead', 'redrive'], { configFile: penstock.configFile });
  assert.match(redrive.stdout, /1 cannot go back: a record batch that cannot be read/);
  await penstock.close();
});

test('with on_corrupt_batch: set_aside the worker goes past it by itself; a replay as it is told', async () => {
  const penstock = await deploy({ on_corrupt_batch: 'set_aside' });
  await produceRaw(kafka.brokers, penstock.raw, 0, bomb());
  await penstock.produce([Buffer.from(line('behind'))], 0);
  const worker = await penstock.start(['worker']);
  await penstock.workersDone();
  const letters = await penstock.read(penstock.dead);
  assert.deepEqual(
    letters.map((letter) => headerOf(letter, 'penstock-reason')),
    ['corrupt_batch'],
  );
  assert.equal(await corrupt(worker), 1);
  const replay = (...more: string[]) =>
    runPenstock(
      [
        'replay',
        '--offsets',
        '0:0-2',
        '--to-file',
        `${penstock.configFile}.${more.length}.jsonl`,
        '--json',
        ...more,
      ],
      { configFile: penstock.configFile },
    );
  const stopped = await replay();
  assert.equal(stopped.code, 1);
  assert.match(stopped.stderr, /the record batch at offset 0: .*--on-corrupt-batch skip goes on behind it/);
  const done = await replay('--on-corrupt-batch', 'skip');
  assert.equal(done.code, 0, done.stderr);
  const { samples, corrupt_batches } = JSON.parse(done.stdout);
  assert.deepEqual([samples, corrupt_batches], [1, [{ partition: 0, first: 0, last: 1 }]]);
  await penstock.close();
});

/** A drain before which a task topic has a record, a batch that nobody can read, and a record. */
async function drained(drain: Readonly<Record<string, unknown>>) {
  const node = await NodeReceiver.open(0);
  const penstock = await Deployment.create({
    brokers: kafka.brokers,
    routes: [{ name: 'all', task: { labels: ['record'], count: 1 } }],
    nodes: [{ name: 'node-0', url: node.url }],
    drain: { node: 'node-0', ...drain },
  });
  const topic = penstock.topic('all');
  const task = (number: number) => [
    { topic, partition: 0, key: null, value: numberedBody(0, number), headers: {}, timestamp: Date.now() },
  ];
  await penstock.producer.send(task(0));
  assert.equal(await produceRaw(kafka.brokers, topic, 0, bomb()), 1n);
  await penstock.producer.send(task(1));
  const { admin } = await penstock.start(['drain']);
  const close = () => Promise.all([penstock.close(), node.close()]);
  return { node, penstock, topic, admin, close };
}

async function hasBoth(node: NodeReceiver): Promise<void> {
  await poll(
    () => node.count === 2,
    {},
    () => new Error(`the node has ${node.count} records`),
  );
}

test('a drain is held up by such a batch of a task topic until it is skipped', async () => {
  const { node, penstock, topic, admin, close } = await drained({});
  await poll(
    async () => (await metricOf({ admin }, 'penstock_held_up_partitions')) === 1,
    {},
    () => new Error('the partition was not held up'),
  );
  assert.equal(node.count, 1);
  const skipped = await skip(penstock, topic, '0', '1');
  assert.equal(skipped.code, 0, skipped.stderr);
  await hasBoth(node);
  const [letter, ...others] = await penstock.read(penstock.dead);
  assert.equal(others.length, 0);
  assert.equal(headerOf(letter, 'penstock-reason'), 'corrupt_batch');
  assert.equal(headerOf(letter, 'penstock-stage'), 'deliver');
  assert.equal(headerOf(letter, 'penstock-source'), `${topic}/0/1`);
  await close();
});

test('a drain told to sets it aside by itself; dead list and redrive go past one of the dead-letter topic', async () => {
  const { node, penstock, topic, close } = await drained({ on_corrupt_batch: 'set_aside' });
  await hasBoth(node);
  await poll(
    async () => (await penstock.read(penstock.dead)).length === 1,
    {},
    () => new Error('there is no dead letter'),
  );
  const [letter] = await penstock.read(penstock.dead);
  assert.equal(headerOf(letter, 'penstock-source'), `${topic}/0/1`);
  const { partition } = letter!;
  await produceRaw(kafka.brokers, penstock.dead, partition, bomb());
  for (const command of ['list', 'redrive']) {
    const run = (...more: string[]) =>
      runPenstock(['dead', command, '--json', ...more], { configFile: penstock.configFile });
    const stopped = await run();
    assert.equal(stopped.code, 1);
    assert.match(stopped.stderr, /the record batch at offset \d+: .*--on-corrupt-batch skip/);
    const done = await run('--on-corrupt-batch', 'skip');
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stderr, /left out, since it cannot be read/);
    const { letters, not_redrivable } = JSON.parse(done.stdout);
    if (command === 'list') assert.equal(letters, 1);
    else assert.deepEqual(not_redrivable, { corrupt_batch: 1 });
  }
  await close();
});

test('headers of any name, and without a value, go through a worker, a dead letter and back', async () => {
  const penstock = await deploy();
  await penstock.start(['worker']);
  const names = [
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'content-type',
    'X-Scope-OrgID',
    '',
  ];
  const headers = [
    ...names.map((name) => [name, null] as const),
    ['__proto__', 'p'],
    ['valueOf', 'v'],
    ['twice', 'first'],
    ['twice', 'last'],
  ] as const;
  const body = rawRecords([
    { value: null, headers },
    { value: line('good'), headers },
  ]);
  await produceRaw(kafka.brokers, penstock.raw, 0, rawBatch({ body, count: 2 }));
  await penstock.workersDone();
  const [letter, ...others] = await penstock.read(penstock.dead);
  assert.equal(others.length, 0);
  assert.equal((await penstock.read(penstock.topic('all'))).length, 1);
  const received = (from: typeof letter) =>
    Object.entries(from!.headers ?? {})
      .filter(([name]) => !name.startsWith('penstock-') && name !== 'content-type')
      .map(([name, value]) => [name, value === null ? null : String(value)])
      .sort();
  assert.ok(received(letter).some(([name, value]) => name === 'constructor' && value === null));
  assert.ok(received(letter).some(([name, value]) => name === '__proto__' && value === 'p'));
  const show = await runPenstock(['dead', 'show', '0:0'], { configFile: penstock.configFile });
  assert.equal(show.code, 0, show.stderr);
  const redrive = await runPenstock(['dead', 'redrive'], { configFile: penstock.configFile });
  assert.equal(redrive.code, 0, redrive.stderr);
  await penstock.workersDone();
  const back = (await penstock.read(penstock.raw)).at(-1);
  assert.equal(headerOf(back, 'penstock-redriven'), '1');
  assert.deepEqual(received(back), received(letter));
  await penstock.close();
});

test('a million empty records in one batch are read in parts, in bounded memory', async () => {
  const input = await admin.createTopic('million', 1);
  const output = await admin.createTopic('million.out', 1);
  const count = 1_000_000;
  const records = Array.from({ length: count }, (_, offsetDelta) => ({ offsetDelta }));
  const body = zstdCompressSync(rawRecords(records), {
    params: { [constants.ZSTD_c_compressionLevel]: 3 },
  });
  await produceRaw(kafka.brokers, input, 0, rawBatch({ body, count, codec: ZSTD }));
  records.length = 0;
  let read = 0n;
  const groupId = uniqueName('million');
  const worker = new CopyingWorker(
    { brokers: kafka.brokers, groupId, input, output },
    {
      transform: ({ records: taken }) => {
        for (const { offset } of taken) assert.equal(offset, read++);
        return [];
      },
    },
  );
  global.gc?.();
  const before = process.memoryUsage().rss;
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss - before)), 20);
  await worker.start();
  await poll(
    async () => ((await admin.admin.committedOffsets(groupId, input)).get(0) ?? 0n) === BigInt(count),
    { timeoutMs: 240_000 },
    () => new Error(`${read} of ${count} records`),
  );
  clearInterval(watch);
  await worker.stop();
  assert.equal(read, BigInt(count));
  assert.ok(most < 400 * MIB, `${Math.round(most / MIB)} MiB`);
});
