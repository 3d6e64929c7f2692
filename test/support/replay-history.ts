/** Writes a history of numbered samples to an ingest topic, and reads what a replay has written. */
import assert from 'node:assert/strict';
import type { Deployment } from '../lab/deployment/deployment.ts';
import {
  type PenstockProcess,
  type PenstockResult,
  runPenstock,
  spawnPenstock,
} from '../lab/deployment/penstock.ts';
import { poll } from '../lab/process.ts';
import { type FoundSamples, samplesOf } from '../lab/truth/task-samples.ts';

export const SAMPLES_PER_RECORD = 5;
const RECORDS_A_SEND = 500;
const TEXT = 'text/plain; version=0.0.4';

export interface HistoryOptions {
  readonly records: number;
  readonly partition?: number;
  /** Number of the first record; the samples of a record have its number. */
  readonly first?: number;
  /** Time of a record and its samples, in ms since the epoch. */
  readonly timeOf?: (number: number) => number;
  readonly services?: number;
}

/** Writes records of five samples, each a series of its service; the value is the record's number. */
export async function writeHistory(
  { producer, raw }: Deployment,
  { records, partition = 0, first = 0, timeOf = () => Date.now(), services = 8 }: HistoryOptions,
): Promise<void> {
  for (let sent = 0; sent < records; sent += RECORDS_A_SEND) {
    const numbers = Array.from(
      { length: Math.min(RECORDS_A_SEND, records - sent) },
      (_, at) => first + sent + at,
    );
    await producer.send(
      numbers.map((number) => ({
        topic: raw,
        partition,
        key: null,
        value: Buffer.from(recordText(partition, number, Math.round(timeOf(number)), services)),
        headers: { 'content-type': TEXT },
        timestamp: Math.round(timeOf(number)),
      })),
    );
  }
}

function recordText(partition: number, number: number, timeMs: number, services: number): string {
  const labels = `service="s${number % services}",partition="${partition}",record="${number}"`;
  return Array.from(
    { length: SAMPLES_PER_RECORD },
    (_, at) => `orders{${labels},at="${at}"} ${number} ${timeMs}\n`,
  ).join('');
}

/** Sorted record numbers that a topic has, by partition of the source. Asserts that each record has all its samples. */
export async function foundRecords(
  penstock: Deployment,
  topic: string,
): Promise<{ readonly numbers: ReadonlyMap<string, readonly number[]>; readonly found: FoundSamples }> {
  const found = samplesOf(await penstock.read(topic));
  const samples = new Map<string, Map<number, number>>();
  for (const [key, value] of found.samples) {
    const partition = /(?:^|,)partition="(\d+)"/.exec(key)![1]!;
    const counts = samples.get(partition) ?? new Map<number, number>();
    counts.set(value, (counts.get(value) ?? 0) + 1);
    samples.set(partition, counts);
  }
  const numbers = [...samples].map(([partition, counts]): [string, number[]] => {
    const broken = [...counts].filter(([, count]) => count !== SAMPLES_PER_RECORD);
    assert.deepEqual(broken, [], `records of partition ${partition} that are not whole`);
    return [partition, [...counts.keys()].sort((a, b) => a - b)];
  });
  return { numbers: new Map(numbers.sort()), found };
}

export function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, at) => first + at);
}

export function replay(penstock: Deployment, ...args: string[]): Promise<PenstockResult> {
  return runPenstock(['replay', ...args, '--listen', '127.0.0.1:0'], { configFile: penstock.configFile });
}

/** `replay list` and `replay stop` have no option --listen. */
export function replayAction(penstock: Deployment, ...args: string[]): Promise<PenstockResult> {
  return runPenstock(['replay', ...args], { configFile: penstock.configFile });
}

export function startReplay(penstock: Deployment, ...args: string[]): PenstockProcess {
  return spawnPenstock(['replay', ...args, '--listen', '127.0.0.1:0'], { configFile: penstock.configFile });
}

export interface ListedReplay {
  readonly id: string;
  readonly state: string;
  readonly share: number;
  readonly samples: number;
}

export async function listed(penstock: Deployment, id: string): Promise<ListedReplay | undefined> {
  const { code, stdout, stderr } = await replayAction(penstock, 'list', '--json');
  assert.equal(code, 0, stderr);
  const { replays } = JSON.parse(stdout) as { replays: ListedReplay[] };
  return replays.find((each) => each.id === id);
}

/** Sum of the high watermarks of all partitions: it grows with every transaction. */
export async function written(penstock: Deployment, topic: string): Promise<bigint> {
  if (!(await penstock.admin.partitionCounts([topic])).has(topic)) return 0n;
  const bounds = await penstock.admin.offsetBounds(topic);
  return [...bounds.values()].reduce((sum, { high }) => sum + high, 0n);
}

/** Waits until a running replay has written more to a topic than `before`. */
export async function untilWritten(
  penstock: Deployment,
  topic: string,
  before: bigint,
  process: PenstockProcess,
): Promise<void> {
  await poll(
    async () => {
      assert.equal(process.exit, undefined, `it has ended:\n${process.log()}`);
      // A topic just created may be unknown to a broker.
      return (await written(penstock, topic).catch(() => before)) > before;
    },
    { timeoutMs: 60_000 },
    () => new Error(`nothing was written to ${topic}:\n${process.log()}`),
  );
}
