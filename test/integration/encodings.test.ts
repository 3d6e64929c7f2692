import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deployment } from '../lab/deployment/deployment.ts';
import { runPenstock } from '../lab/deployment/penstock.ts';
import type { ReadRecord } from '../lab/deployment/read-topic.ts';
import { uniqueName } from '../lab/names.ts';
import { poll } from '../lab/process.ts';
import { startKafka } from '../lab/servers/kafka.ts';
import { startRegistry } from '../lab/servers/registry.ts';
import { samplesOf } from '../lab/truth/task-samples.ts';
import { closeAfterTests } from '../support/closing.ts';
import { type EncodedRecord, type Point, PRODUCERS, type Producer } from '../support/encoded-records.ts';
import { mappedProducers } from '../support/mapped-records.ts';

const RECORDS_EACH = 30;
const POINTS = 4;
const START_MS = 1_760_000_000_000;
/** More than the 40 that `worker.limits` lets a series have. */
const MANY_LABELS = 50;

const [kafka, registry] = await Promise.all([startKafka(), startRegistry()]);
const mapped = await mappedProducers(registry);
const producers: readonly Producer[] = [...PRODUCERS, ...mapped.producers];
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  rawPartitions: 2,
  routes: [{ name: 'all', task: { labels: ['service'], count: 4 } }],
  registry: { url: registry.url },
});
closeAfterTests(penstock, registry, kafka);

/** What is to come of the records that were produced. */
class Expected {
  /** `series@time` ▸ value. */
  readonly samples = new Map<string, number>();
  /** Samples that arrive once what was wrong is mended. */
  readonly mended = new Map<string, number>();
  /** Dead letters with the reason `mapping` that no setting helps. */
  hopeless = 0;
  /** By offset in partition 0 of the ingest topic: the reason of its dead letter. */
  readonly dead = new Map<number, string>();
}

function pointsOf(producer: number, record: number): Point[] {
  return Array.from({ length: POINTS }, (_, index) => ({
    metric: `metric_${producer}_${record}`,
    labels: { service: `s${index}`, index: String(index) },
    value: producer * 1000 + record + index / 4,
    time: START_MS + record * 1000,
  }));
}

function sampleKey(
  { arrivesAs = (metric: string) => metric }: Producer,
  { metric, labels, time }: Point,
): string {
  const all: Record<string, string> = { ...labels, __name__: arrivesAs(metric) };
  const pairs = Object.entries(all).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `${pairs.sort().join()}@${time}`;
}

/**
 * The record at a place in the topic. One in five is broken, in turn: a content type that nobody knows, the faults of
 * its encoding, a series over a limit.
 */
function recordAt(offset: number, producer: number, record: number, expected: Expected): EncodedRecord {
  const writer = producers[producer]!;
  const points = pointsOf(producer, record);
  const arrive = (some: readonly Point[], into = expected.samples) => {
    for (const point of some) into.set(sampleKey(writer, point), point.value);
  };
  if (record % 5 !== 4) {
    arrive(points);
    return writer.write(points);
  }
  const [others, last] = [points.slice(0, -1), points.at(-1)!];
  const way = Math.floor(record / 5) % (writer.faults.length + 2);
  if (way === 0) {
    expected.dead.set(offset, 'content_type');
    const { body, headers } = writer.write(points);
    return { body, headers: { ...headers, 'content-type': 'application/x-nobody-knows' } };
  }
  const fault = writer.faults[way - 1];
  if (fault !== undefined) {
    expected.dead.set(offset, fault.reason);
    if (fault.part) arrive(others);
    if (fault.reason === 'mapping' && !fault.isMended) expected.hopeless += 1;
    if (fault.isMended) arrive(fault.part ? [last] : points, expected.mended);
    return fault.write(points);
  }
  expected.dead.set(offset, 'too_many_labels');
  const labels = Object.fromEntries(
    Array.from({ length: MANY_LABELS }, (_, index) => [`extra${index}`, 'x']),
  );
  const large = { ...last, labels: { ...last.labels, ...labels } };
  arrive(others);
  arrive([large], expected.mended);
  return writer.write([...others, large]);
}

/**
 * Reads the task topic until it has so many samples, and once more: a transaction's offsets may be seen before its
 * records are.
 */
async function arrived(samples: number): Promise<ReturnType<typeof samplesOf>> {
  let found = await readSamples();
  await poll(
    async () => found.samples.size >= samples || (found = await readSamples()).samples.size >= samples,
    {},
    () => new Error(`${found.samples.size} of ${samples} samples have arrived`),
  ).catch(() => undefined); // the comparison that follows says which are missing
  return await readSamples();
}

/** The samples in the task topic, without the label that Penstock adds. */
async function readSamples(): Promise<ReturnType<typeof samplesOf>> {
  const found = samplesOf(await penstock.read(penstock.topic('all')));
  const samples = new Map(
    [...found.samples].map(([key, value]) => {
      const [labels = '', time = ''] = key.split('@');
      const sent = labels.split(',').filter((label) => !label.startsWith('stream_task_id='));
      return [`${sent.sort().join()}@${time}`, value];
    }),
  );
  return { ...found, samples };
}

function text({ headers }: ReadRecord, name: string): string {
  return String(headers?.[name] ?? '');
}

/** The dead letters, once there are at least so many; as for `arrived`. */
async function deadLetters(least: number): Promise<ReadRecord[]> {
  const read = async () =>
    (await penstock.read(penstock.dead)).filter((record) => text(record, 'penstock-stage') !== '');
  let letters = await read();
  for (let attempt = 0; letters.length < least && attempt < 20; attempt++) letters = await read();
  return letters;
}

async function dead(...args: string[]): Promise<Record<string, unknown>> {
  const run = await runPenstock(['dead', ...args, '--json'], { configFile: penstock.configFile });
  assert.equal(run.code, 0, run.stderr);
  return JSON.parse(run.stdout) as Record<string, unknown>;
}

/** What `penstock dead show` makes of a letter's value. */
async function show(position: string) {
  const { value } = (await dead('show', position)) as {
    value: { series: { labels: Record<string, string> }[]; fault: string | null };
  };
  return value;
}

test('every encoding in one topic, one record in five broken: nothing is lost, redrive brings the rest', async () => {
  const expected = new Expected();
  const records: EncodedRecord[] = [];
  for (let record = 0; record < RECORDS_EACH; record++) {
    for (const producer of producers.keys()) {
      records.push(recordAt(records.length, producer, record, expected));
    }
  }
  await penstock.producer.send(
    records.map(({ body, headers }) => {
      const record = { topic: penstock.raw, partition: 0, key: null, timestamp: Date.now() };
      return { ...record, value: body, headers };
    }),
  );
  const limits = { PENSTOCK_WORKER_LIMITS_LABELS_PER_SERIES: '40' };
  const worker = await penstock.start(['worker'], limits);
  await penstock.workersDone();

  const first = await arrived(expected.samples.size);
  assert.equal(first.repeated, 0);
  assert.deepEqual(differences(first.samples, expected.samples), []);

  const letters = await deadLetters(expected.dead.size);
  const found = new Map<number, string>();
  for (const letter of letters) {
    const offset = Number(text(letter, 'penstock-source').split('/')[2]);
    assert.ok(!found.has(offset), `two dead letters of the record at ${offset}`);
    found.set(offset, text(letter, 'penstock-reason'));
  }
  assert.deepEqual(differences(found, expected.dead), []);

  const count = (reason: string) => [...expected.dead.values()].filter((each) => each === reason).length;
  const example = async (reason: string) => {
    const list = (await dead('list', '--reason', reason)) as unknown as {
      groups: { stage: string; source: string; letters: number; redriven: number; example: string }[];
    };
    assert.deepEqual(
      list.groups.map(({ stage, source, letters, redriven }) => [stage, source, letters, redriven]),
      [['decode', penstock.raw, count(reason), 0]],
    );
    return list.groups[0]!.example;
  };
  const overLimit = await show(await example('too_many_labels'));
  assert.equal(overLimit.series[0]!.labels.extra0, 'x');
  const withoutSchema = await example('schema_id');
  assert.match((await show(withoutSchema)).fault ?? '', /the registry has no schema with the id/);

  // With the limit as it was they come back, counted; once more they are left alone.
  const again = ['redrive', '--reason', 'too_many_labels'];
  const limited = count('too_many_labels');
  assert.equal((await dead(...again, '--dry-run')).redriven, limited);
  assert.equal((await dead(...again)).redriven, limited);
  await penstock.workersDone();
  assert.equal((await deadLetters(letters.length + limited)).length, letters.length + limited);
  const repeated = await dead(...again);
  assert.deepEqual([repeated.redriven, repeated.failed_again], [0, limited]);
  const seconds = (await deadLetters(letters.length + limited)).filter(
    (letter) => text(letter, 'penstock-redriven') === '1',
  );
  assert.equal(seconds.length, limited);
  const firstSeen = new Set(letters.map((letter) => text(letter, 'penstock-first-seen')));
  assert.ok(seconds.every((letter) => firstSeen.has(text(letter, 'penstock-first-seen'))));

  // With a higher limit, the schema in the registry and a mapping that knows the name, they arrive, once each.
  await worker.process.stop();
  await mapped.registerMissing();
  assert.equal((await show(withoutSchema)).series.length, POINTS);
  await penstock.start(['worker'], {
    PENSTOCK_WORKER_LIMITS_LABELS_PER_SERIES: '100',
    PENSTOCK_WORKER_MAPPING_NAME: 'metric',
  });
  const mended = [...again, '--reason', 'schema_id', '--reason', 'mapping', '--again'];
  assert.equal((await dead(...mended)).redriven, limited + count('schema_id') + count('mapping'));
  await penstock.workersDone();
  const all = await arrived(expected.samples.size + expected.mended.size);
  assert.equal(all.repeated, 0);
  assert.deepEqual(differences(all.samples, new Map([...expected.samples, ...expected.mended])), []);
  assert.equal((await dead(...mended)).redriven, expected.hopeless, 'only what no setting helps is left');
  await penstock.workersDone();

  // What nobody has mended fails again, and stays as it was.
  assert.equal((await dead('redrive', '--reason', 'content_type')).redriven, count('content_type'));
  await penstock.workersDone();
  assert.equal((await dead('redrive', '--reason', 'content_type')).redriven, 0);
  const unknown = (
    await deadLetters(letters.length + limited + 2 * expected.hopeless + count('content_type'))
  ).filter((letter) => text(letter, 'penstock-reason') === 'content_type');
  assert.equal(unknown.length, 2 * count('content_type'));
  const bodies = new Set(unknown.map(({ value }) => value?.toString('base64')));
  assert.equal(bodies.size, count('content_type'), 'the bodies are those that were produced');
});

test('several ingest topics, each with an encoding and options of its own', async () => {
  const [seconds, graphite] = [uniqueName('raw-influx'), uniqueName('raw-graphite')];
  const several = await Deployment.create({
    brokers: kafka.brokers,
    routes: [{ name: 'all', task: { labels: ['service'], count: 1 } }],
    worker: {
      topic: 'metrics.raw', // the default: topics are given instead
      topics: [
        { topic: seconds, encoding: 'influx', influx: { precision: 's', measurement_field_separator: '.' } },
        { topic: graphite, encoding: 'graphite' },
      ],
    },
  });
  const produce = (topic: string, body: string) =>
    several.producer.send([
      { topic, partition: 0, key: null, value: Buffer.from(body), headers: {}, timestamp: Date.now() },
    ]);
  await produce(seconds, 'cpu,service=a v=1 1760000000');
  await produce(graphite, 'cpu.load;service=b 2 1760000001');
  await several.start(['worker']);
  for (const topic of [seconds, graphite]) await several.noLag(several.group, topic);
  const read = async () => samplesOf(await several.read(several.topic('all'))).samples;
  await poll(
    async () => (await read()).size === 2,
    {},
    () => new Error('not all samples have arrived'),
  );
  assert.deepEqual(
    differences(
      await read(),
      new Map([
        ['__name__="cpu.v",service="a",stream_task_id="0"@1760000000000', 1],
        ['__name__="cpu.load",service="b",stream_task_id="0"@1760000001000', 2],
      ]),
    ),
    [],
  );
  assert.equal((await several.read(several.dead)).length, 0);
  await several.close();
});

/** Keys at which two maps differ, with both values. */
function differences<K, V>(found: ReadonlyMap<K, V>, expected: ReadonlyMap<K, V>): string[] {
  const keys = new Set([...found.keys(), ...expected.keys()]);
  return [...keys]
    .filter((key) => found.get(key) !== expected.get(key))
    .map((key) => `${key}: ${found.get(key)}, expected ${expected.get(key)}`);
}
