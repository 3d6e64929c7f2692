import type { Problems } from '../lab/truth/problems.ts';
import { readWriteRequest } from '../lab/truth/prompb.ts';
import { missingIn, type Place, type RawRounds, roundsBySeries } from './check-raw.ts';
import { RoundSet } from './round-set.ts';
import { partitionOf, relabeled, roundAt, SERIES, sameLabels, sampleValue, taskOf } from './truth.ts';

/** Compares the task topic with the ingest topic: every sample once, in the same order, nothing else. */
export class TaskCheck {
  samples = 0;
  missing = 0;
  duplicates = 0;
  outOfOrder = 0;
  foreign = 0;
  readonly #startMs: number;
  readonly #raw: RawRounds;
  readonly #problems: Problems;
  /** Number of samples of each series that were found in their place. */
  readonly #found = new Int32Array(SERIES);
  readonly #seen = roundsBySeries();
  readonly #inRaw: readonly RoundSet[];
  readonly #taskOf = Array.from({ length: SERIES }, (_, series) => taskOf(series));

  constructor(startMs: number, raw: RawRounds, problems: Problems) {
    this.#startMs = startMs;
    this.#raw = raw;
    this.#problems = problems;
    this.#inRaw = raw.map((rounds) => {
      const set = new RoundSet();
      for (const round of rounds) set.add(round);
      return set;
    });
  }

  /** @returns the samples of the record that are expected there */
  visit(partition: number, value: Buffer): Place[] {
    const places: Place[] = [];
    for (const { labels, samples } of readWriteRequest(value).series) {
      const series = this.#identify(partition, labels);
      for (const { timestamp, bits } of samples) {
        this.samples += 1;
        const round = roundAt(this.#startMs, Number(timestamp));
        if (series === undefined || !this.#isTrue(series, round, bits)) this.foreign += 1;
        else if (this.#place(series, round)) places.push({ series, round });
      }
    }
    return places;
  }

  finish(): void {
    for (const { series, round } of missingIn(this.#seen, this.#raw)) {
      this.missing += 1;
      this.#problems.add('task topic: sample is missing', `series ${series}, round ${round}`);
    }
  }

  /** The series, if its labels are as after relabeling, and the partition is that of its task. */
  #identify(partition: number, labels: readonly [string, string][]): number | undefined {
    const { stream_task_id, ...rest } = Object.fromEntries(labels);
    const series = Number(rest['series']);
    const known = Number.isInteger(series) && series >= 0 && series < SERIES;
    if (!known || !sameLabels(rest, relabeled(series)) || Number(stream_task_id) !== partition) {
      this.#problems.add('task topic: foreign series', `partition ${partition}: ${JSON.stringify(labels)}`);
      return undefined;
    }
    if (this.#taskOf[series] === partition) return series;
    this.#problems.add('task topic: a series is not in the task of its group', JSON.stringify(labels));
    return undefined;
  }

  #isTrue(series: number, round: number, bits: bigint): boolean {
    if (this.#inRaw[partitionOf(series)]!.has(round) && bits === bitsOf(sampleValue(series, round)))
      return true;
    this.#problems.add('task topic: foreign sample', `series ${series}, round ${round}, value bits ${bits}`);
    return false;
  }

  #place(series: number, round: number): boolean {
    const where = `series ${series}, round ${round}, task ${this.#taskOf[series]}`;
    const seen = this.#seen[series]!;
    if (seen.has(round)) {
      this.duplicates += 1;
      this.#problems.add('task topic: sample is there twice', where);
      return false;
    }
    seen.add(round);
    const rounds = this.#raw[partitionOf(series)]!;
    const at = this.#found[series]!;
    if (rounds[at] !== round) {
      this.outOfOrder += 1;
      this.#problems.add('task topic: sample is out of order', `${where}, expected round ${rounds[at]}`);
      this.#found[series] = rounds.indexOf(round);
    }
    this.#found[series]! += 1;
    return true;
  }
}

function bitsOf(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}
