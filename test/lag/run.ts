/**
 * `npm run lag -- [--gigabytes G] [--series N]`: resident memory of a worker, and then of a drain, that are G GB behind
 * (default 10) with N series (default 100,000), on a real broker. Penstock runs with its default settings.
 *
 * G counts bytes of the topic's log segments on disk, one replica. The ingest topic is filled with G GB of remote write
 * requests as senders compress them (snappy), without compression by Kafka. The worker makes the task topic from that,
 * whatever its size. The node answers every request with 204, more slowly than the drain could send.
 *
 * Exit code 0: both stayed within their bounds. 1: one did not, or the run failed. 2: wrong usage.
 */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { RECORD_HEADERS } from '../../src/core/generate/scrape-record.ts';
import { drainGroupId } from '../../src/services/drain/assignment.ts';
import { Deployment } from '../lab/deployment/deployment.ts';
import { generateWriteRequests } from '../lab/generator/generate-series.ts';
import { AcceptingNode } from '../lab/nodes/http-node.ts';
import { exitAfter, numberArguments } from '../lab/script-arguments.ts';
import { startKafka } from '../lab/servers/kafka.ts';
import { type CatchUpResult, catchUp } from './catch-up.ts';

const USAGE = `npm run lag -- [--gigabytes G] [--series N]

  --gigabytes G   size of the backlog; twice as much is needed on disk (default 10)
  --series N      different series in it (default 100000)
`;
const GB = 1e9;
const RAW_PARTITIONS = 8;
const TASKS = 32;
const NODE = 'node-0';
/** Time of the node for an answer, in ms: slower than the drain reads, so that its queues are full. */
const ANSWER_MS = 20;
/** Prometheus' default for the most samples in a request (`max_samples_per_send`). */
const SERIES_PER_BODY = 2_000;
/** Bytes of one write to a partition: less than `max.message.bytes`. */
const BATCH_BYTES = 900_000;
const BOUND_MIB = { worker: 600, drain: 300 } as const;

const say = (line: string) => process.stdout.write(`${line}\n`);

interface Backlog {
  readonly gigabytes: number;
  readonly series: number;
}

async function run(backlog: Backlog): Promise<boolean> {
  const kafka = await startKafka({
    own: true,
    name: 'lag-kafka',
    optimized: true,
    properties: { 'log.retention.hours': '-1' },
  });
  const node = await new AcceptingNode(ANSWER_MS).listen();
  try {
    const penstock = await Deployment.create({
      brokers: kafka.brokers,
      rawPartitions: RAW_PARTITIONS,
      routes: [{ name: 'all', task: { labels: ['service', 'namespace'], count: TASKS } }],
      nodes: [{ name: NODE, url: node.url }],
      drain: { node: NODE },
    });
    try {
      return await measure(penstock, new DiskSize(kafka.node(0).logDir), backlog);
    } finally {
      await penstock.close();
    }
  } finally {
    node.close();
    await kafka.close();
  }
}

async function measure(penstock: Deployment, disk: DiskSize, backlog: Backlog): Promise<boolean> {
  await fill(penstock, backlog);
  const tasks = penstock.topic('all');
  say(`a worker, ${disk.of(penstock.raw)} behind`);
  const worker = await catchUp(
    penstock,
    { command: 'worker', group: penstock.group, topic: penstock.raw, boundMiB: BOUND_MIB.worker },
    say,
  );
  sayResult(worker, BOUND_MIB.worker);
  say(`a drain, ${disk.of(tasks)} behind`);
  const drain = await catchUp(
    penstock,
    { command: 'drain', group: drainGroupId(tasks, NODE), topic: tasks, boundMiB: BOUND_MIB.drain },
    say,
  );
  sayResult(drain, BOUND_MIB.drain);
  return worker.within && drain.within;
}

/** Writes the same bodies over and over, each always to the same partition: `gigabytes` of them in all. */
async function fill(penstock: Deployment, { gigabytes, series }: Backlog): Promise<void> {
  const bodies = Array.from(
    generateWriteRequests({ series, seriesPerRequest: SERIES_PER_BODY, startMs: Date.now() }),
    ({ value }) => value,
  );
  const mean = bodies.reduce((sum, { length }) => sum + length, 0) / bodies.length;
  const perBatch = Math.max(1, Math.floor(BATCH_BYTES / mean));
  const batches = Math.ceil((gigabytes * GB) / (perBatch * mean) / RAW_PARTITIONS);
  say(
    `filling: ${batches * perBatch * RAW_PARTITIONS} requests of ${SERIES_PER_BODY} series, ${Math.round(mean / 1000)} kB each; ${series} series in all`,
  );
  const started = Date.now();
  const write = async (partition: number) => {
    const own = bodies.filter((_, index) => index % RAW_PARTITIONS === partition);
    for (let batch = 0; batch < batches; batch += 1) {
      const values = Array.from({ length: perBatch }, (_, at) => own[(batch * perBatch + at) % own.length]!);
      await penstock.produce(values, partition, RECORD_HEADERS);
    }
  };
  await Promise.all(Array.from({ length: RAW_PARTITIONS }, (_, partition) => write(partition)));
  say(`filled in ${Math.round((Date.now() - started) / 1000)} s`);
}

function sayResult({ seconds, cpuSeconds, resident, within }: CatchUpResult, boundMiB: number): void {
  const { min, mean, max, highWater } = resident;
  const mib = [min, mean, max, highWater].map(Math.round);
  say(
    `${within ? 'PASSED' : 'FAILED'}: caught up in ${seconds.toFixed(0)} s (${cpuSeconds.toFixed(0)} s CPU); resident ` +
      `least ${mib[0]}, mean ${mib[1]}, most ${mib[2]}, high-water mark ${mib[3]} MiB; bound ${boundMiB}`,
  );
}

/** Size of topics on the broker's disk: bytes of their log segments, without indexes. */
class DiskSize {
  readonly #logDir: string | undefined;

  constructor(logDir: string | undefined) {
    this.#logDir = logDir;
  }

  of(topic: string): string {
    if (this.#logDir === undefined) return 'an unknown size (in a container)';
    const bytes = readdirSync(this.#logDir)
      .filter((folder) => folder.slice(0, folder.lastIndexOf('-')) === topic)
      .map((folder) => path.join(this.#logDir!, folder))
      .flatMap((folder) => readdirSync(folder).map((file) => path.join(folder, file)))
      .filter((file) => file.endsWith('.log'))
      .reduce((sum, file) => sum + statSync(file).size, 0);
    return `${(bytes / GB).toFixed(2)} GB`;
  }
}

const backlog = numberArguments(USAGE, {
  gigabytes: { default: 10, least: 0.1, whole: false },
  series: { default: 100_000, least: 1 },
});
await exitAfter(run(backlog));
