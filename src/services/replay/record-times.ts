import { isRecordTime } from '../../core/record/record-time.ts';

/**
 * Gives records without a time (CreateTime -1, or one that cannot be) that of their neighbour in the partition: the
 * record before, else the first one behind that has one, else the time at which the replay reads them. A worker took the
 * time of receipt, which nothing has kept; neighbours were received close to it, and another replay gives them the same.
 */
export class RecordTimes {
  readonly #last = new Map<number, number>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The records of a partition, in order, with a time each; those that have one are the same objects. */
  fill<T extends { readonly timestamp: number }>(partition: number, records: readonly T[]): readonly T[] {
    let last = this.#last.get(partition) ?? records.find(hasTime)?.timestamp ?? this.#nowMs();
    const filled = records.every(hasTime)
      ? records
      : records.map((record) => {
          if (!hasTime(record)) return { ...record, timestamp: last };
          last = record.timestamp;
          return record;
        });
    const newest = records.findLast(hasTime);
    if (newest !== undefined) this.#last.set(partition, newest.timestamp);
    return filled;
  }
}

function hasTime({ timestamp }: { readonly timestamp: number }): boolean {
  return isRecordTime(timestamp);
}
