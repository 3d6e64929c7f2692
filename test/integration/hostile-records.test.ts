import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OutgoingRecord } from '../../src/core/model/records.ts';
import { describeGroups } from '../../src/io/kafka/admin/group-description.ts';
import { Deployment } from '../lab/deployment/deployment.ts';
import { headerOf } from '../lab/deployment/read-topic.ts';
import type { Running } from '../lab/deployment/running.ts';
import { uniqueName } from '../lab/names.ts';
import { RecordingReceiver } from '../lab/nodes/recording-receiver.ts';
import { poll } from '../lab/process.ts';
import { memoryMib } from '../lab/process-usage.ts';
import { startKafka } from '../lab/servers/kafka.ts';
import { samplesOf } from '../lab/truth/task-samples.ts';
import { closeAfterTests } from '../support/closing.ts';
import { HOSTILE_KINDS, type HostileRecord } from '../support/hostile-records.ts';
import { startReplay } from '../support/replay-history.ts';

const PARTITIONS = 4;
/** Each kind of hostile record stands in each partition at least once. */
const RECORDS = 10 * HOSTILE_KINDS.length;
const SAMPLES = 5;
const START_MS = Date.now() - 600_000;
/** Peak resident memory in MiB: docs/reference/records.md has what it is made of. */
const WORKER_MIB = 800;
const DRAIN_MIB = 300;

const kafka = await startKafka();
const receivers = await Promise.all([RecordingReceiver.open(), RecordingReceiver.open()]);
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  rawPartitions: PARTITIONS,
  routes: [{ name: 'all', task: { labels: ['service'], count: 8 } }],
  // The defaults: a record may take so long that it keeps a busy machine from its heartbeats.
  worker: { session_timeout: '15s', heartbeat_interval: '3s' },
  drain: { session_timeout: '15s', heartbeat_interval: '3s' },
  nodes: receivers.map(({ url }, index) => ({ name: `node-${index}`, url })),
});
closeAfterTests(penstock, ...receivers, kafka);

/** What is to come of the ingest topic. */
class Expected {
  /** Samples of the sound records: `partition/record/at`. */
  readonly good = new Set<string>();
  /** By metric name: how many samples of it arrive. */
  readonly hostile = new Map<string, number>();
  /** By `partition/offset`: the kind, and its dead letters. */
  readonly dead = new Map<string, { readonly kind: string; readonly dead: HostileRecord['dead'] }>();
}

const expected = new Expected();

/** The record at an offset: one in ten is hostile, each kind in turn, another one in each partition. */
function recordAt(partition: number, offset: number): OutgoingRecord {
  const time = START_MS + offset * 1000;
  const base = { topic: penstock.raw, partition, key: null, timestamp: Date.now() };
  if (offset % 10 !== 9) {
    const lines = Array.from({ length: SAMPLES }, (_, at) => {
      expected.good.add(`${partition}/${offset}/${at}`);
      return `orders{service="s${offset % 7}",partition="${partition}",record="${offset}",at="${at}"} ${offset} ${time}\n`;
    });
    const headers = { 'content-type': 'text/plain; version=0.0.4' };
    return { ...base, value: Buffer.from(lines.join('')), headers };
  }
  const { kind, record } = HOSTILE_KINDS[(Math.floor(offset / 10) + partition) % HOSTILE_KINDS.length]!;
  const { value, headers, timestamp, metrics, dead } = record(`hostile_${partition}_${offset}`, time);
  for (const metric of metrics) expected.hostile.set(metric, (expected.hostile.get(metric) ?? 0) + 1);
  expected.dead.set(`${partition}/${offset}`, { kind, dead });
  return { ...base, value, headers, ...(timestamp === undefined ? {} : { timestamp }) };
}

async function produce(from: number, to: number): Promise<void> {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    for (let offset = from; offset < to; offset++)
      await penstock.producer.send([recordAt(partition, offset)]);
  }
}

/** Compares samples with what was to come: each once, and nothing else. */
function compare(where: string, found: { readonly keys: Iterable<string>; readonly repeated: number }): void {
  assert.equal(found.repeated, 0, `${where}: samples are there twice`);
  const good = new Set<string>();
  const hostile = new Map<string, number>();
  for (const key of found.keys) {
    const label = (name: string) => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(key)?.[1] ?? '';
    const metric = label('__name__');
    if (metric === 'orders') good.add(`${label('partition')}/${label('record')}/${label('at')}`);
    else hostile.set(metric, (hostile.get(metric) ?? 0) + 1);
  }
  const missing = [...expected.good].filter((key) => !good.has(key));
  assert.deepEqual(missing.slice(0, 5), [], `${where}: ${missing.length} good samples are missing`);
  assert.equal(good.size, expected.good.size, where);
  assert.deepEqual(new Map([...hostile].sort()), new Map([...expected.hostile].sort()), where);
}

/** Dead letters by the record that they come of. */
async function deadLetters(): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const letter of await penstock.read(penstock.dead)) {
    const [, partition, offset] = headerOf(letter, 'penstock-source').split('/');
    const key = `${partition}/${offset}`;
    found.set(key, [...(found.get(key) ?? []), headerOf(letter, 'penstock-reason')]);
  }
  return found;
}

function peakMib({ process }: Running): number {
  return memoryMib(process.pid, 'VmHWM');
}

const members = async () =>
  (await describeGroups(penstock.admin, [penstock.group]))
    .get(penstock.group)
    ?.members.map(({ member }) => member);

test('one record in ten is hostile: nobody restarts or is evicted, each sample arrives once', async (t) => {
  await produce(0, RECORDS / 2);
  const workers = [await penstock.start(['worker']), await penstock.start(['worker'])];
  const drains: Running[] = [];
  for (const index of receivers.keys())
    drains.push(await penstock.start(['drain'], { PENSTOCK_DRAIN_NODE: `node-${index}` }));
  await poll(
    async () => (await members())?.length === 2,
    { timeoutMs: 60_000 },
    () => new Error('the two workers have not joined'),
  );
  const joined = await members();
  await produce(RECORDS / 2, RECORDS);
  const output = uniqueName('output');
  const replay = startReplay(penstock, '--from', '-2h', '--to-route', 'all', '--output-topic', output);
  await penstock.workersDone();
  const { code } = await replay.waitForExit({ timeoutMs: 180_000 });
  assert.equal(code, 0, replay.log());

  assert.deepEqual(await members(), joined, 'a member was evicted, or joined again');
  for (const { process } of [...workers, ...drains]) assert.equal(process.exit, undefined, process.log());

  const tasks = samplesOf(await penstock.read(penstock.topic('all')));
  compare('task topic', { keys: tasks.samples.keys(), repeated: tasks.repeated });
  const replayed = samplesOf(await penstock.read(output));
  compare('replayed', { keys: replayed.samples.keys(), repeated: replayed.repeated });
  const all = tasks.samples.size;
  await poll(
    async () => receivers.reduce((sum, { samples }) => sum + samples.size, 0) >= all,
    { timeoutMs: 60_000 },
    () => new Error('the drains have not delivered everything'),
  );
  compare('delivered', {
    keys: receivers.flatMap(({ samples }) => [...samples.keys()]),
    repeated: receivers.reduce((sum, { repeated }) => sum + repeated, 0),
  });

  const letters = await deadLetters();
  const wrong: string[] = [];
  for (const [at, { kind, dead }] of expected.dead) {
    const reasons = letters.get(at) ?? [];
    letters.delete(at);
    const isRight = { none: reasons.length === 0, one: reasons.length === 1, some: reasons.length > 0 }[dead];
    if (!isRight)
      wrong.push(`${kind} at ${at}: ${reasons.length} dead letters (${new Set(reasons)}), expected ${dead}`);
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual([...letters], [], 'dead letters of sound records');

  const peaks = { workers: workers.map(peakMib), drains: drains.map(peakMib) };
  const mib = (peak: number) => peak.toFixed(0);
  t.diagnostic(`peak MiB: workers ${peaks.workers.map(mib)}, drains ${peaks.drains.map(mib)}`);
  assert.ok(Math.max(...peaks.workers) < WORKER_MIB, `workers took ${peaks.workers} MiB`);
  assert.ok(Math.max(...peaks.drains) < DRAIN_MIB, `drains took ${peaks.drains} MiB`);
});
