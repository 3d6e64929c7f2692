import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Deployment } from '../lab/deployment/deployment.ts';
import { runPenstock, spawnPenstock } from '../lab/deployment/penstock.ts';
import { headerOf, type ReadRecord } from '../lab/deployment/read-topic.ts';
import { startKafka } from '../lab/servers/kafka.ts';
import { closeAfterTests } from '../support/closing.ts';

const kafka = await startKafka();
closeAfterTests(kafka);

async function deploy(): Promise<Deployment> {
  return await Deployment.create({
    brokers: kafka.brokers,
    routes: [{ name: 'all', task: { labels: ['service'], count: 2 } }],
  });
}

async function dead(penstock: Deployment, ...args: string[]): Promise<Record<string, number>> {
  const run = await runPenstock(['dead', ...args, '--json'], { configFile: penstock.configFile });
  assert.equal(run.code, 0, run.stderr);
  return JSON.parse(run.stdout) as Record<string, number>;
}

/** Dead letters as a worker or a drain writes them, without one. */
async function bury(penstock: Deployment, numbers: readonly number[], changes: Record<string, string> = {}) {
  await penstock.producer.send(
    numbers.map((number) => ({
      topic: penstock.dead,
      partition: 0,
      key: null,
      value: Buffer.from(`body ${number}`),
      timestamp: Date.now(),
      headers: {
        'content-type': 'application/x-influx-line-protocol',
        'penstock-query': 'precision=s',
        'penstock-first-seen': '2026-01-02T03:04:05.000Z',
        'penstock-timestamp': '1760000000000',
        'penstock-error': 'test',
        'penstock-stage': 'decode',
        'penstock-reason': number % 2 === 0 ? 'even' : 'odd',
        'penstock-source': `${penstock.raw}/0/${number}`,
        ...changes,
      },
    })),
  );
}

/** The end of the ingest topic. */
async function written(penstock: Deployment): Promise<bigint> {
  return (await penstock.admin.offsetBounds(penstock.raw)).get(0)!.high;
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

test('a redrive that is killed again and again neither repeats nor skips a letter', async () => {
  const penstock = await deploy();
  const count = 6_000;
  for (let first = 0; first < count; first += 500)
    await bury(
      penstock,
      range(500).map((index) => first + index),
    );

  // Killed as soon as something of each is there: in the next transaction, or between the two.
  for (let round = 0; round < 3; round++) {
    const before = await written(penstock);
    const redrive = spawnPenstock(['dead', 'redrive', '--reason', 'odd'], {
      configFile: penstock.configFile,
    });
    while (redrive.exit === undefined && (await written(penstock)) === before) await sleep(5);
    await redrive.kill();
  }
  await dead(penstock, 'redrive', '--reason', 'odd');
  const odd = await penstock.read(penstock.raw);
  const bodies = (from: readonly ReadRecord[]) => from.map(({ value }) => String(value));
  assert.deepEqual(
    bodies(odd),
    range(count)
      .filter((number) => number % 2 === 1)
      .map((number) => `body ${number}`),
    'each letter once, in order',
  );

  // Another filter later takes the others, and those alone.
  assert.equal((await dead(penstock, 'redrive', '--limit', '10')).redriven, 10);
  assert.equal((await dead(penstock, 'redrive')).redriven, count / 2 - 10);
  assert.equal((await dead(penstock, 'redrive')).redriven, 0);
  const all = bodies(await penstock.read(penstock.raw));
  assert.equal(all.length, count);
  assert.equal(new Set(all).size, count);
  const { letters, redriven } = await dead(penstock, 'list');
  assert.deepEqual([letters, redriven], [count, count]);
  await penstock.close();
});

test('a letter goes back as it came, to the topic and partition that it names', async () => {
  const penstock = await deploy();
  const tasks = penstock.topic('all');
  await bury(penstock, [0]);
  await bury(penstock, [1], {
    'penstock-stage': 'deliver',
    'penstock-source': `${tasks}/1/77`,
    'penstock-part': '1/2',
    'X-Scope-OrgID': 'shop',
  });
  await bury(penstock, [2], { 'penstock-truncated': '1000000' });
  await bury(penstock, [3], { 'penstock-source': 'another-topic/0/1' });
  await bury(penstock, [4], { 'penstock-redriven': '1' });

  const say = (...args: string[]) => runPenstock(['dead', ...args], { configFile: penstock.configFile });
  const list = await say('list', '--stage', 'decode', '--from', '-1h');
  assert.equal(list.code, 0, list.stderr);
  assert.match(list.stdout, /^STAGE +REASON +FROM +LETTERS/);
  assert.match(list.stdout, /^decode +even +\S+ +3 +0 +/m);
  const show = await say('show', '0:0');
  assert.match(show.stdout, /^penstock-query +precision=s$/m);
  assert.match(show.stdout, /^cannot be used: line 1: /m);
  assert.match(show.stdout, /^ {2}body 0$/m);
  assert.equal((await say('show', '0:0', '--raw')).stdout, 'body 0');
  const none = await say('show', '0:99');
  assert.deepEqual([none.code, none.stdout], [1, '']);
  assert.match(none.stderr, /has no dead letter at 0:99: partition 0 has the offsets 0 to \d+/);

  const run = await runPenstock(['dead', 'redrive'], { configFile: penstock.configFile });
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stdout, /: 2 dead letters redriven\n1 left alone.*--again.*\n/);
  assert.match(run.stdout, /1 cannot go back: cut to fit.*\n/);
  assert.match(run.stdout, /1 cannot go back: it came from a topic/);

  const [raw, ...moreRaw] = await penstock.read(penstock.raw);
  assert.equal(moreRaw.length, 0);
  assert.equal(String(raw!.value), 'body 0');
  assert.deepEqual(
    Object.entries(raw!.headers ?? {}).map(([name, value]) => [name, String(value)]),
    [
      ['penstock-redriven', '1'],
      ['penstock-first-seen', '2026-01-02T03:04:05.000Z'],
      ['content-type', 'application/x-influx-line-protocol'],
      ['penstock-query', 'precision=s'],
      ['penstock-timestamp', '1760000000000'],
    ],
  );
  const [task, ...moreTasks] = await penstock.read(tasks);
  assert.equal(moreTasks.length, 0);
  assert.deepEqual(
    [task!.partition, String(task!.value), headerOf(task, 'X-Scope-OrgID')],
    [1, 'body 1', 'shop'],
  );
  assert.deepEqual([headerOf(task, 'penstock-part'), headerOf(task, 'penstock-source')], ['', '']);

  assert.equal((await dead(penstock, 'redrive', '--again')).redriven, 1);
  assert.equal(headerOf((await penstock.read(penstock.raw))[1], 'penstock-redriven'), '2');
  await penstock.close();
});
