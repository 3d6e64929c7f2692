import type { ReplayCounts } from './target.ts';

/** Counts of a step while it is written. */
export class Tally implements ReplayCounts {
  records = 0;
  samples = 0;
  leftOut = 0;
  readonly refused = new Map<string, number>();

  refuse(reason: string, count = 1): void {
    if (count === 0) return;
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + count);
  }

  refuseAll(refused: ReadonlyMap<string, number>): void {
    for (const [reason, count] of refused) this.refuse(reason, count);
  }
}

export const NO_COUNTS: ReplayCounts = { records: 0, samples: 0, leftOut: 0, refused: new Map() };

export function addCounts(a: ReplayCounts, b: ReplayCounts): ReplayCounts {
  const refused = new Map(a.refused);
  for (const [reason, count] of b.refused) refused.set(reason, (refused.get(reason) ?? 0) + count);
  return {
    records: a.records + b.records,
    samples: a.samples + b.samples,
    leftOut: a.leftOut + b.leftOut,
    refused,
  };
}
