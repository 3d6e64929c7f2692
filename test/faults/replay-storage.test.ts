import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { drainGroupId } from '../../src/services/drain/assignment.ts';
import { createRunFolder, removeRunFolder } from '../lab/cache.ts';
import { Deployment } from '../lab/deployment/deployment.ts';
import { metricOf, type Running } from '../lab/deployment/running.ts';
import { History } from '../lab/generator/history.ts';
import { scrape, trueSeries } from '../lab/generator/true-series.ts';
import { poll } from '../lab/process.ts';
import { startKafka } from '../lab/servers/kafka.ts';
import {
  type ExportedSeries,
  startVictoriaMetrics,
  type VictoriaMetrics,
} from '../lab/servers/victoriametrics.ts';
import { closeAfterTests } from '../support/closing.ts';

/**
 * A replay end to end: 36 minutes of history in the ingest topic, of which 30, 2 million samples, are replayed to
 * an empty storage: Kafka ▸ penstock replay ▸ VictoriaMetrics, all real, and compared sample by sample.
 */
const SERIES = 16_700;
const STEP_MS = 15_000;
const SCRAPES = 144;
/** Odd: the first and the last record of the range have one scrape within it, and one outside. */
const FROM = 13;
const TO = 133;
const PARTITIONS = 4;
/** Of replays that are killed, in samples/s: a busy machine may be seconds late to kill one, and it must not have ended. */
const RATE = 150_000;

const history = new History({
  series: SERIES,
  scrapes: SCRAPES,
  stepMs: STEP_MS,
  startMs: Math.floor(Date.now() / STEP_MS) * STEP_MS - SCRAPES * STEP_MS - 60_000,
  partitions: PARTITIONS,
  seriesPerRecord: 250,
});
const SAMPLES = SERIES * (TO - FROM);
const RANGE = rangeOf(FROM, TO);

function rangeOf(from: number, to: number): string[] {
  const [fromText, toText] = [from, to].map((scrape) => new Date(history.timeOf(scrape)).toISOString());
  return ['--from', fromText!, '--to', toText!, '--by', 'sample-time'];
}

const [kafka, live] = await Promise.all([startKafka(), startVictoriaMetrics()]);
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  rawPartitions: PARTITIONS,
  routes: [{ name: 'http', task: { labels: ['service'], count: 8 } }],
  nodes: [{ name: 'storage', url: live.url }],
});
closeAfterTests(penstock, live, kafka);
await penstock.fill(history.records(penstock.raw));

const startReplay = (args: string[]) => penstock.launch(['replay', ...args]);

/** Samples of a replay so far; 0 while it does not say. */
async function samplesOf(replay: Running): Promise<number> {
  return (await metricOf(replay, 'penstock_replay_samples_total').catch(() => 0)) ?? 0;
}

async function ended({ process }: Running): Promise<void> {
  await process.waitForExit({ timeoutMs: 180_000 });
  assert.equal(process.exit?.code, 0, process.log().slice(-2000));
}

async function killedAt(replay: Running, samples: number): Promise<void> {
  await poll(
    async () => (await samplesOf(replay)) >= samples || replay.process.exit !== undefined,
    { timeoutMs: 120_000 },
    () => new Error(`${samples} samples were not reached. Log:\n${replay.process.log().slice(-2000)}`),
  );
  assert.equal(
    replay.process.exit,
    undefined,
    `it ended before it was killed: ${replay.process.log().slice(-2000)}`,
  );
  await replay.process.kill();
}

async function compareWith(storage: VictoriaMetrics, from = FROM, to = TO) {
  await storage.flush();
  const { examples, ...counts } = history.compare(await storage.exportSeries('{id!=""}'), from, to);
  return { counts, examples };
}

const EXACT = { right: SAMPLES, missing: 0, wrong: 0, foreign: 0, twice: 0 };

test('30 minutes of 2 million samples are in a wiped storage again, each once, and none outside of the range', async () => {
  assert.ok(SAMPLES > 2_000_000);
  const storage = await startVictoriaMetrics();
  try {
    await ended(await startReplay([...RANGE, '--to-storage', storage.url]));
    const { counts, examples } = await compareWith(storage);
    assert.deepEqual(counts, EXACT, examples.join('\n'));
  } finally {
    await storage.close();
  }
});

test('a replay that is killed twice goes on where it stopped: nothing is left out, a step at most is repeated', async () => {
  const storage = await startVictoriaMetrics();
  try {
    const slowly = ['--rate', String(RATE)];
    const first = await startReplay([
      ...[...RANGE, ...slowly],
      ...['--to-storage', storage.url, '--id', penstock.raw],
    ]);
    await killedAt(first, SAMPLES * 0.2);
    const second = await startReplay(['--resume', penstock.raw, ...slowly]);
    await killedAt(second, SAMPLES * 0.2);
    await ended(await startReplay(['--resume', penstock.raw]));
    const { counts, examples } = await compareWith(storage);
    const { twice, ...others } = counts;
    assert.deepEqual({ ...others, twice: 0 }, EXACT, examples.join('\n'));
    // With a rate a step is what may go in 200 ms; sizes of records differ.
    assert.ok(twice <= 2 * RATE * 0.4, `${twice} samples were written twice`);
  } finally {
    await storage.close();
  }
});

test('a file has each sample of the selected series once, although the replay was killed', async () => {
  const folder = createRunFolder('replay-file');
  const file = path.join(folder, 'cart.jsonl');
  const id = `${penstock.raw}-file`;
  const first = await startReplay([
    ...[...RANGE, '--match', '{service="cart"}', '--rate', '40000'],
    ...['--to-file', file, '--id', id],
  ]);
  await killedAt(first, SAMPLES * 0.03);
  await ended(await startReplay(['--resume', id]));
  const lines = createInterface({ input: createReadStream(file) });
  const series: ExportedSeries[] = [];
  for await (const line of lines) series.push(JSON.parse(line) as ExportedSeries);
  const isCart = (index: number) => History.service(index) === 'cart';
  const { examples, ...counts } = history.compare(series, FROM, TO, isCart);
  const right = Array.from({ length: SERIES }, (_, index) => index).filter(isCart).length * (TO - FROM);
  assert.deepEqual(counts, { ...EXACT, right }, examples.join('\n'));
  removeRunFolder(folder);
});

test('a live flow beside it keeps its own truth, and the replay its own', async () => {
  await penstock.start(['worker']);
  await penstock.start(['drain'], { PENSTOCK_DRAIN_NODE: 'storage' });
  const topic = penstock.topic('http');
  const delivered = async () => {
    await penstock.workersDone();
    await penstock.noLag(drainGroupId(topic, 'storage'), topic);
  };
  await delivered();
  const storage = await startVictoriaMetrics();
  try {
    const [from, to] = [FROM + 20, FROM + 50];
    const range = rangeOf(from, to);
    const replay = await startReplay([...range, '--to-storage', storage.url, '--rate', '50000']);
    const series = trueSeries(700);
    const startMs = Date.now();
    for (let round = 0; replay.process.exit === undefined; round += 1) {
      for (let at = 0; at < series.length; at += 175) {
        const body = scrape(series.slice(at, at + 175), startMs + round * 100, round);
        await penstock.produce([body], at / 175);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await ended(replay);
    await delivered();
    const { counts, examples } = await compareWith(storage, from, to);
    assert.deepEqual(counts, { ...EXACT, right: SERIES * (to - from) }, examples.join('\n'));
    await live.flush();
    const stored = new Map(
      (await live.exportSeries('{shard!=""}')).map(({ metric, timestamps, values }) => {
        const samples = timestamps.map((time, at) => [time, values[at]]);
        return [metric['instance'], samples];
      }),
    );
    assert.ok(series[0]!.samples.size > 20, `${series[0]!.samples.size} rounds`);
    assert.equal(stored.size, series.length);
    for (const { labels, samples } of series) assert.deepEqual(stored.get(labels['instance']), [...samples]);
  } finally {
    await storage.close();
  }
});
