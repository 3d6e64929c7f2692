import { isRecordTime } from '../../core/record/record-time.ts';

/**
 * Gives records without a valid time (CreateTime is -1 or impossible) that of a neighbour in the partition: of the
 * record before, else of the first one behind with a time, else the time of reading. A worker took the time of receipt,
 * which is not kept; neighbours were received close to it, and another replay gives the same times.
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
