import type { VictoriaMetrics } from '../lab/servers/victoriametrics.ts';
import { Problems } from '../lab/truth/problems.ts';
import { missingIn, type RawRounds, roundsBySeries } from './check-raw.ts';
import type { ChaosCluster } from './cluster.ts';
import type { RoundSet } from './round-set.ts';
import {
  MOST_RAW_PARTITIONS,
  relabeled,
  roundAt,
  SERIES,
  sameLabels,
  sampleValue,
  seriesOf,
  taskOf,
} from './truth.ts';

export interface StorageCounts {
  readonly stored: number;
  readonly repeated: number;
  readonly missing: number;
  /** Missing, but excused: a vmagent accepted them with 2xx, and was killed before it sent them. */
  readonly lostByVmagent: number;
}

export interface StorageQuestion {
  readonly cluster: ChaosCluster;
  readonly startMs: number;
  readonly raw: RawRounds;
  /** Rounds by series that a killed vmagent may have lost. */
  readonly excused: readonly RoundSet[];
}

/** Compares storage with the ingest topic: every sample at least once, with its value and labels, nothing else. */
export async function checkStorage(
  question: StorageQuestion,
): Promise<{ counts: StorageCounts; problems: Problems }> {
  const { cluster, raw, excused } = question;
  const problems = new Problems();
  const found = roundsBySeries();
  let stored = 0;
  await cluster.storage.flush();
  for (let partition = 0; partition < MOST_RAW_PARTITIONS; partition += 1)
    stored += await readPartition(cluster.storage, partition, question, found, problems);
  // Partitions were read by a label that each series has: this reads all the rest.
  const known = Array.from({ length: SERIES }, (_, series) => series).join('|');
  for (const { metric } of await cluster.storage.exportSeries(`{__name__!="",series!~"${known}"}`))
    problems.add('storage: foreign series', JSON.stringify(metric));
  let missing = 0;
  let lostByVmagent = 0;
  for (const { series, round } of missingIn(found, raw)) {
    if (excused[series]!.has(round)) lostByVmagent += 1;
    else {
      missing += 1;
      problems.add('storage: sample is missing', `series ${series}, round ${round}, task ${taskOf(series)}`);
    }
  }
  const distinct = found.reduce((sum, { size }) => sum + size, 0);
  return { counts: { stored, repeated: stored - distinct, missing, lostByVmagent }, problems };
}

async function readPartition(
  storage: VictoriaMetrics,
  partition: number,
  question: StorageQuestion,
  found: readonly RoundSet[],
  problems: Problems,
): Promise<number> {
  const names = seriesOf(partition).join('|');
  let stored = 0;
  for (const { metric, timestamps, values } of await storage.exportSeries(`{series=~"${names}"}`)) {
    const series = Number(metric['series']);
    stored += timestamps.length;
    if (!hasLabels(metric, series, question)) {
      problems.add('storage: foreign series', JSON.stringify(metric));
      continue;
    }
    for (const [at, time] of timestamps.entries()) {
      const round = roundAt(question.startMs, time);
      if (values[at] === sampleValue(series, round)) found[series]!.add(round);
      else problems.add('storage: foreign sample', `series ${series} at ${time}: ${values[at]}`);
    }
  }
  return stored;
}

/** The labels after relabeling, the task, and a vmagent that owns it or has owned it. */
function hasLabels(
  metric: Readonly<Record<string, string>>,
  series: number,
  { cluster }: StorageQuestion,
): boolean {
  const task = taskOf(series);
  return cluster
    .owners(task)
    .some((vmagent) => sameLabels(metric, { ...relabeled(series), stream_task_id: String(task), vmagent }));
}
