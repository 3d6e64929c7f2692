import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { uniqueName } from '../../lab/names.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';
import {
  foundRecords,
  range,
  replay,
  startReplay,
  untilWritten,
  writeHistory,
  written,
} from '../../support/replay-history.ts';

const kafka = await startKafka();
closeAfterTests(kafka);

interface Setup {
  readonly rawPartitions?: number;
  readonly nodes?: readonly { readonly name: string; readonly url: string }[];
}

async function deploy({ rawPartitions = 1, nodes = [] }: Setup = {}): Promise<Deployment> {
  return await Deployment.create({
    brokers: kafka.brokers,
    rawPartitions,
    nodes,
    routes: [{ name: 'all', task: { labels: ['service'], count: 4 } }],
  });
}

const MINUTE_MS = 60_000;

test('a range that retention has cut is said before anything is replayed, with what is left', async () => {
  const penstock = await deploy({ rawPartitions: 2 });
  const output = uniqueName('output');
  await writeHistory(penstock, { records: 300, partition: 0 });
  await writeHistory(penstock, { records: 300, partition: 1 });
  await penstock.deleteBefore(100);

  const into = ['--to-route', 'all', '--output-topic', output];
  const refused = await replay(penstock, '--from', '-1h', ...into);
  assert.deepEqual([refused.code, refused.stdout], [1, '']);
  assert.match(refused.stderr, /retention has taken, or may have taken, a part:/);
  assert.match(
    refused.stderr,
    /partition 0: begins with offset 100 of \d{4}-\S+Z: what was there before is gone\n/,
  );
  assert.match(refused.stderr, /Give --allow-gaps/);
  assert.doesNotMatch(refused.stderr, /partition 1:/);
  const byOffsets = await replay(penstock, '--offsets', '0:50-149,1:0-9', ...into);
  assert.equal(byOffsets.code, 1);
  assert.match(byOffsets.stderr, /partition 0: begins with offset 100.*: 50 records are gone\n/);
  const beyond = await replay(penstock, '--offsets', '0:200-300', ...into);
  assert.equal(beyond.code, 1);
  assert.match(beyond.stderr, /0:200-300: partition 0 has the offsets 100 to 299/);
  assert.equal(await written(penstock, output), 0n);

  const left = await replay(penstock, '--offsets', '0:50-149,1:0-9', ...into, '--allow-gaps');
  assert.equal(left.code, 0, left.stderr);
  const { numbers } = await foundRecords(penstock, output);
  assert.deepEqual(Object.fromEntries(numbers), { 0: range(100, 150), 1: range(0, 10) });
  await penstock.close();
});

test('what retention takes meanwhile ends the replay, unless gaps are allowed', async () => {
  const penstock = await deploy();
  const output = uniqueName('output');
  const id = uniqueName('gap');
  const records = 2_000;
  await writeHistory(penstock, { records });
  const process = startReplay(
    penstock,
    ...['--from', '-1h', '--to-route', 'all', '--output-topic', output, '--id', id, '--rate', '250'],
  );
  await untilWritten(penstock, output, 0n, process);
  await process.kill();
  const before = (await foundRecords(penstock, output)).numbers.get('0')!;
  assert.ok(before.length < 1_500, String(before.length));
  await penstock.deleteBefore(1_800);

  const refused = await replay(penstock, '--resume', id);
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    new RegExp(
      `begins with offset 1800: ${(1_800 - before.length).toLocaleString('en-US')} records are gone`,
    ),
  );
  const rest = await replay(penstock, '--resume', id, '--allow-gaps', '--json');
  assert.equal(rest.code, 0, rest.stderr);
  assert.deepEqual(JSON.parse(rest.stdout).gaps, [{ partition: 0, first: before.length, last: 1_799 }]);
  const { numbers, found } = await foundRecords(penstock, output);
  assert.equal(found.repeated, 0);
  assert.deepEqual(numbers.get('0'), [...before, ...range(1_800, records)]);
  await penstock.close();
});

test('a range of times is that of its records, with a margin; by sample time it is exact', async () => {
  const penstock = await deploy();
  const begin = Math.floor((Date.now() - 60 * MINUTE_MS) / MINUTE_MS) * MINUTE_MS;
  // A record a minute; its samples have its time.
  await writeHistory(penstock, { records: 60, timeOf: (number) => begin + number * MINUTE_MS });
  const minute = (number: number) => new Date(begin + number * MINUTE_MS).toISOString();
  const found = async (...args: string[]) => {
    const output = uniqueName('output');
    const into = ['--to-route', 'all', '--output-topic', output];
    const { code, stderr } = await replay(
      penstock,
      '--from',
      minute(20),
      '--to',
      minute(30),
      ...args,
      ...into,
    );
    assert.equal(code, 0, stderr);
    return (await foundRecords(penstock, output)).numbers.get('0');
  };
  assert.deepEqual(await found(), range(15, 35), 'a margin of five minutes on both sides');
  assert.deepEqual(await found('--margin', '0'), range(20, 30));
  assert.deepEqual(await found('--by', 'sample-time'), range(20, 30));
  assert.deepEqual(
    await found('--margin', '0', '--match', '{service="s1"}'),
    [25],
    'of the series that match',
  );

  const nothing = await replay(
    penstock,
    '--from',
    '-70d',
    '--to',
    '-69d',
    '--to-route',
    'all',
    '--output-topic',
    'x',
  );
  assert.deepEqual([nothing.code, /^nothing to replay/.test(nothing.stdout)], [0, true], nothing.stderr);
  await penstock.close();
});

test('a dry run says what would go where, and writes nothing', async () => {
  const penstock = await deploy();
  const output = uniqueName('output');
  await writeHistory(penstock, { records: 100 });
  await penstock.produce([Buffer.from('no format at all \u0001')], 0, {
    'content-type': 'application/x-protobuf',
  });
  const into = ['--from', '-1h', '--to-route', 'all', '--output-topic', output];
  const run = await replay(penstock, ...into, '--dry-run', '--json');
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /topic \S+ would be created with 4 partitions/);
  const { records, samples, series, tasks, refused } = JSON.parse(run.stdout) as {
    records: number;
    samples: number;
    series: number;
    tasks: { task: number; samples: number }[];
    refused: Record<string, number>;
  };
  assert.deepEqual([records, samples, series, refused], [101, 500, 500, { snappy: 1 }]);
  assert.equal(
    tasks.reduce((sum, task) => sum + task.samples, 0),
    500,
  );
  assert.equal((await penstock.admin.partitionCounts([output])).size, 0, 'no topic was made');
  const raw = await replay(penstock, '--from', '-1h', '--to-file', '/nowhere/x', '--dry-run', '--json');
  assert.equal(raw.code, 0, raw.stderr);
  assert.deepEqual([JSON.parse(raw.stdout).samples, JSON.parse(raw.stdout).tasks], [500, []]);

  const real = await replay(penstock, ...into, '--json');
  assert.equal(real.code, 0, real.stderr);
  assert.deepEqual([JSON.parse(real.stdout).samples, JSON.parse(real.stdout).refused], [500, { snappy: 1 }]);
  const byTask = new Map<number, number>();
  for (const { partition, headers } of await penstock.read(output)) {
    byTask.set(partition, (byTask.get(partition) ?? 0) + Number(String(headers!['penstock-samples'])));
  }
  assert.deepEqual(
    [...byTask].sort(),
    tasks.map((task) => [task.task, task.samples]),
  );
  await penstock.close();
});

test('where old samples would do harm, or be lost, is refused', async () => {
  const penstock = await deploy({ nodes: [{ name: 'vmagent-0', url: 'http://127.0.0.1:9' }] });
  const { admin, raw } = penstock;
  const old = Date.now() - 2 * 60 * MINUTE_MS;
  await writeHistory(penstock, { records: 50, timeOf: () => old });
  const refused = async (code: number, message: RegExp, ...args: string[]) => {
    const run = await replay(penstock, '--from', '-3h', '--to-route', 'all', ...args);
    assert.deepEqual([run.code, run.stdout], [code, ''], run.stderr);
    assert.match(run.stderr, message);
  };
  const live = penstock.topic('all');
  await refused(2, /old samples would be counted into the windows of today.*--into-live/);
  await refused(2, /would never end/, '--output-topic', raw);
  await refused(2, /is the dead-letter topic of/, '--output-topic', penstock.dead);
  await refused(1, /topic nobody-has-it does not exist/, '--output-topic', 'x', '--topic', 'nobody-has-it');

  const client = await admin.client();
  const few = uniqueName('few');
  await client.createTopics({
    topics: [{ topic: few, numPartitions: 3 }],
  });
  await refused(1, /has 3 partitions, and route all has 4 tasks/, '--output-topic', few);
  assert.equal(await written(penstock, live), 0n);

  const made = uniqueName('made');
  const copy = await replay(penstock, '--from', '-3h', '--to-route', 'all', '--output-topic', made);
  assert.equal(copy.code, 0, copy.stderr);
  assert.match(copy.stderr, /is created with 4 partitions .* keeps records for 24h00m from their writing/);
  const begun = Date.now();
  const intoLive = await replay(penstock, '--from', '-3h', '--to-route', 'all', '--into-live');
  assert.equal(intoLive.code, 0, intoLive.stderr);
  assert.deepEqual((await foundRecords(penstock, live)).numbers.get('0'), range(0, 50));
  const [first] = await penstock.read(live);
  assert.equal(Number(first!.headers!['penstock-timestamp']), old, 'the time of the source record');
  assert.ok(Number(first!.timestamp) >= begun, 'the time of writing');
  assert.match(String(first!.headers!['penstock-source']), new RegExp(`^${raw}/0/0-\\d+$`));
  await penstock.close();
});
