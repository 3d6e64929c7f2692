import { writeRequest } from '../lab/generator/write-request.ts';
import { hashing } from '../lab/truth/hashing-program.ts';

/** The written series, with one sample each per round. */
export const RAW_PARTITIONS = 6;
/** Most partitions of the ingest topic. The series of a partition are written from its beginning. */
export const MOST_RAW_PARTITIONS = 9;
export const SERIES_PER_PARTITION = 40;
export const SERIES = MOST_RAW_PARTITIONS * SERIES_PER_PARTITION;
export const TASKS = 12;
/**
 * Time between the samples of a series, and between two records of a partition, in ms: several in each step of a
 * worker, so that a worker that dies has a transaction open often enough.
 */
export const ROUND_MS = 50;

export const ROUTE = {
  name: 'http',
  match: ['{__name__=~"http_.*"}'],
  relabel: [
    { target_label: 'cluster', replacement: 'chaos' },
    { action: 'labeldrop', regex: 'code' },
  ],
  task: { labels: ['service', 'namespace'], count: TASKS },
};

/** The ingest partition of a series. */
export function partitionOf(series: number): number {
  return Math.floor(series / SERIES_PER_PARTITION);
}

/** The series of an ingest partition. */
export function seriesOf(partition: number): number[] {
  return Array.from({ length: SERIES_PER_PARTITION }, (_, at) => partition * SERIES_PER_PARTITION + at);
}

/** Labels as sent. */
function labelsOf(index: number): Record<string, string> {
  return {
    __name__: 'http_requests_total',
    code: index % 5 === 0 ? '500' : '200',
    instance: `10.0.0.${index % 256}:9090`,
    namespace: `team-${index % 3}`,
    series: String(index),
    service: `service-${index % 29}`,
  };
}

/** Labels after the route's relabeling, without the task id. */
export function relabeled(index: number): Record<string, string> {
  const { code: _, ...kept } = labelsOf(index);
  return { ...kept, cluster: 'chaos' };
}

export function sameLabels(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/**
 * The task of a series, computed without the code under test (docs/concepts/hashing.md). It depends on the labels of
 * its group alone, so all series of a group are in one task.
 */
export function taskOf(index: number): number {
  return hashing.taskOf(relabeled(index), { ...ROUTE.task, spread: 1, hash: 'jump' });
}

/** The owner of each task by hash 2, computed without the code under test. */
export function ownersOf(topic: string, nodes: readonly string[]): string[] {
  const owners = hashing.balancedOwners([{ topic, count: TASKS }], nodes);
  return Array.from({ length: TASKS }, (_, task) => owners.get(`${topic}/${task}`)!);
}

/** A value that names its series and round. */
export function sampleValue(index: number, round: number): number {
  return round * 1_000 + index;
}

/** Timestamp of a round's samples, ms since the epoch. */
export function timeOf(startMs: number, round: number): number {
  return startMs + round * ROUND_MS;
}

export function roundAt(startMs: number, timeMs: number): number {
  return (timeMs - startMs) / ROUND_MS;
}

/** The record of a partition in a round: one sample of each of its series. */
export function recordOf(partition: number, round: number, startMs: number): Buffer {
  return writeRequest(
    seriesOf(partition).map((index) => ({
      labels: Object.entries(labelsOf(index)),
      samples: [[timeOf(startMs, round), sampleValue(index, round)]],
    })),
  );
}
