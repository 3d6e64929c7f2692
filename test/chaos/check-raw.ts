import type { Problems } from '../lab/truth/problems.ts';
import { readWriteRequest } from '../lab/truth/prompb.ts';
import { RoundSet } from './round-set.ts';
import { MOST_RAW_PARTITIONS, partitionOf, roundAt, SERIES } from './truth.ts';

/** Rounds of each ingest partition in their order there: the task topics must have the same. */
export type RawRounds = readonly (readonly number[])[];

/** A sample by its series and round. */
export interface Place {
  readonly series: number;
  readonly round: number;
}

/** Collects the rounds of the ingest topic, and compares them with the producer's acknowledgements. */
export class RawCheck {
  readonly rounds: number[][] = Array.from({ length: MOST_RAW_PARTITIONS }, () => []);
  readonly #startMs: number;

  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  visit(partition: number, value: Buffer): void {
    const [first] = readWriteRequest(value).series;
    this.rounds[partition]!.push(roundAt(this.#startMs, Number(first!.samples[0]!.timestamp)));
  }

  /** An acknowledged record that is missing, or a record that is there twice, is a problem, though not Penstock's. */
  finish(acknowledged: readonly (readonly boolean[])[], problems: Problems): void {
    for (const [partition, sent] of acknowledged.entries()) {
      const times = new Map<number, number>();
      for (const round of this.rounds[partition]!) times.set(round, (times.get(round) ?? 0) + 1);
      for (const [round, isAcknowledged] of sent.entries()) {
        const count = times.get(round) ?? 0;
        if (isAcknowledged && count === 0)
          problems.add(
            'ingest topic: acknowledged record is missing',
            `partition ${partition}, round ${round}`,
          );
        if (count > 1)
          problems.add('ingest topic: record is there twice', `partition ${partition}, round ${round}`);
      }
    }
  }
}

/** An empty set of rounds for each series. */
export function roundsBySeries(): RoundSet[] {
  return Array.from({ length: SERIES }, () => new RoundSet());
}

/** Samples of the ingest topic that `found` lacks, by series. */
export function* missingIn(found: readonly RoundSet[], raw: RawRounds): Generator<Place> {
  for (const [series, rounds] of found.entries())
    for (const round of raw[partitionOf(series)]!) if (!rounds.has(round)) yield { series, round };
}
