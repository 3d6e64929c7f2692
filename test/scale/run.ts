/**
 * `npm run scale -- [--ingest N] [--tasks N] [--nodes N] [--seconds S]`: usage of one worker and one drain on a cluster
 * with very many partitions, on a real broker: by default 1,000 ingest partitions, 10,000 tasks and 40 nodes.
 *
 * The worker owns all ingest partitions, the drain the tasks of its node. Each is measured idle, and then with one
 * small record a second in every ingest partition. The bytes that a process reads include all that brokers send to it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RECORD_HEADERS } from '../../src/core/generate/scrape-record.ts';
import { Deployment } from '../lab/deployment/deployment.ts';
import type { Running } from '../lab/deployment/running.ts';
import { writeRequest } from '../lab/generator/write-request.ts';
import { AcceptingNode } from '../lab/nodes/http-node.ts';
import { exitAfter, numberArguments } from '../lab/script-arguments.ts';
import { startKafka } from '../lab/servers/kafka.ts';
import { type Reading, readProcess } from './reading.ts';

const USAGE = `npm run scale -- [--ingest N] [--tasks N] [--nodes N] [--seconds S]

  --ingest N    partitions of the ingest topic (default 1000)
  --tasks N     partitions of the task topic (default 10000)
  --nodes N     vmagents; one of them has a drain (default 40)
  --seconds S   how long each state is measured (default 30)
`;

interface Scale {
  readonly ingest: number;
  readonly tasks: number;
  readonly nodes: number;
  readonly seconds: number;
}

/** Time before a measurement, in ms: new clients load metadata first. */
const SETTLE_MS = 10_000;
const PRODUCED_AT_ONCE = 100;
const SERIES_PER_BODY = 10;

const say = (line: string) => process.stdout.write(`${line}\n`);

async function run(scale: Scale): Promise<boolean> {
  const kafka = await startKafka({
    own: true,
    name: 'scale-kafka',
    optimized: true,
    properties: { 'log.index.size.max.bytes': '65536', 'group.max.size': '1000' },
  });
  const node = await new AcceptingNode().listen();
  try {
    const penstock = await Deployment.create({
      brokers: kafka.brokers,
      rawPartitions: scale.ingest,
      routes: [{ name: 'all', task: { labels: ['service', 'namespace', 'pod'], count: scale.tasks } }],
      nodes: Array.from({ length: scale.nodes }, (_, n) => ({ name: `node-${n}`, url: node.url })),
      drain: { node: 'node-0' },
    });
    say(`${scale.ingest} ingest partitions, ${scale.tasks} tasks, ${scale.nodes} nodes`);
    try {
      await measure(penstock, kafka.node(0).pid, scale);
    } finally {
      await penstock.close();
    }
  } finally {
    node.close();
    await kafka.close();
  }
  return true;
}

async function measure(penstock: Deployment, broker: number, scale: Scale): Promise<void> {
  const worker = await started(penstock, 'worker');
  await told('idle', { worker, broker }, scale);
  const drain = await started(penstock, 'drain');
  await told('idle', { worker, drain, broker }, scale);
  const stop = new AbortController();
  const load = produce(penstock, scale, stop.signal);
  await told('a record a second in every ingest partition', { worker, drain, broker }, scale);
  stop.abort();
  await load;
  await penstock.workersDone();
}

async function started(penstock: Deployment, command: 'worker' | 'drain'): Promise<number> {
  const begun = performance.now();
  const running: Running = await penstock.start([command]);
  say(`${command}: ready after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  return running.process.pid;
}

/** Measures processes for some seconds and prints a line for each. */
async function told(
  state: string,
  processes: Readonly<Record<string, number>>,
  { seconds }: Scale,
): Promise<void> {
  await sleep(SETTLE_MS);
  const before = Object.entries(processes).map(([name, pid]) => [name, pid, readProcess(pid)] as const);
  await sleep(seconds * 1000);
  say(`${state}:`);
  for (const [name, pid, first] of before) say(`  ${name.padEnd(7)}${line(first, readProcess(pid))}`);
}

function line(first: Reading, last: Reading): string {
  const seconds = last.seconds - first.seconds;
  const rate = (key: 'cpuSeconds' | 'reads' | 'bytesRead') => (last[key] - first[key]) / seconds;
  return [
    `${(rate('cpuSeconds') * 100).toFixed(1).padStart(6)} % of a core`,
    `${Math.round(rate('reads')).toString().padStart(6)} reads/s`,
    `${(rate('bytesRead') / 1000).toFixed(1).padStart(8)} kB/s read`,
    `${last.sockets.toString().padStart(5)} sockets`,
    `${Math.round(last.residentMib).toString().padStart(5)} MiB`,
  ].join('');
}

async function produce(penstock: Deployment, { ingest }: Scale, stop: AbortSignal): Promise<void> {
  for (let due = performance.now(); !stop.aborted; due += 1000) {
    for (let first = 0; first < ingest && !stop.aborted; first += PRODUCED_AT_ONCE) {
      const partitions = Array.from(
        { length: Math.min(PRODUCED_AT_ONCE, ingest - first) },
        (_, n) => first + n,
      );
      await penstock.producer.send(
        partitions.map((partition) => ({
          topic: penstock.raw,
          partition,
          key: null,
          value: body(partition),
          headers: RECORD_HEADERS,
          timestamp: Date.now(),
        })),
      );
    }
    await sleep(Math.max(0, due + 1000 - performance.now()));
  }
}

/** One sample of each of ten series, which only this partition has. */
function body(partition: number): Buffer {
  const now = Date.now();
  return writeRequest(
    Array.from({ length: SERIES_PER_BODY }, (_, pod) => ({
      labels: [
        ['__name__', 'up'],
        ['namespace', 'scale'],
        ['pod', `pod-${partition}-${pod}`],
        ['service', 'scale'],
      ],
      samples: [[now, 1]],
    })),
  );
}

const scale = numberArguments(USAGE, {
  ingest: { default: 1_000, least: 1 },
  tasks: { default: 10_000, least: 1 },
  nodes: { default: 40, least: 1 },
  seconds: { default: 30, least: 1 },
});
await exitAfter(run(scale));
