import { isRecordTime } from '../../core/record/record-time.ts';

/** Lag of a partition; undefined: unknown. */
export interface Lag {
  readonly records: number | undefined;
  /** Age of the oldest waiting record; 0: none. */
  readonly seconds: number | undefined;
}

/** Observations of a partition. Times by `monotonicMs`. */
interface Seen {
  /** Committed offset: the next to read. */
  readonly offset: bigint;
  /** When that offset was first seen. */
  readonly movedMs: number;
  readonly end: bigint | undefined;
  /** When `end` was last polled. */
  readonly toldMs: number;
  /** Start of the present lag; undefined: no lag. */
  readonly lagMs: number | undefined;
  /** Timestamp of the record at `offset`, ms since the epoch; undefined before it was fetched. */
  readonly oldestMs: number | undefined;
}

/** Lag and stalls of a group's partitions, from polled offsets and own commits. */
export class PartitionProgress {
  readonly #newsMs: number;
  readonly #now: () => number;
  readonly #systemMs: () => number;
  readonly #seen = new Map<string, Seen>();

  /**
   * @param newsMs age in ms from which a polled end counts as unknown
   * @param systemMs system time, to compare with record timestamps, in ms since the epoch
   */
  constructor(newsMs: number, now: () => number, systemMs: () => number) {
    this.#newsMs = newsMs;
    this.#now = now;
    this.#systemMs = systemMs;
  }

  /** A commit has succeeded: the next offset to read is `offset`. */
  committed(id: string, offset: bigint): void {
    const { end, toldMs } = this.#seen.get(id) ?? { end: undefined, toldMs: 0 };
    this.#observe(id, offset, end, toldMs);
  }

  /** Takes polled offsets. A commit made since the poll was sent is newer and stays. */
  told(id: string, committed: bigint, end: bigint): void {
    const before = this.#seen.get(id)?.offset;
    const isOld = before !== undefined && committed < before && committed < end;
    this.#observe(id, isOld ? before : committed, end, this.#now());
  }

  /** Takes the first record fetched and not done; ignored if already committed. */
  fetched(id: string, { offset, timestamp }: { readonly offset: bigint; readonly timestamp: number }): void {
    const seen = this.#seen.get(id);
    if (seen === undefined || offset < seen.offset || !isRecordTime(timestamp)) return;
    this.#seen.set(id, { ...seen, oldestMs: timestamp });
  }

  forget(id: string): void {
    this.#seen.delete(id);
  }

  /** Forgets all other partitions: if one comes back, its progress elsewhere is unknown. */
  keepOnly(held: ReadonlySet<string>): void {
    for (const id of this.#seen.keys()) if (!held.has(id)) this.#seen.delete(id);
  }

  lag(id: string): Lag {
    const seen = this.#seen.get(id);
    if (seen === undefined) return { records: undefined, seconds: undefined };
    const { offset, end, toldMs, lagMs, oldestMs } = seen;
    const isNews = end !== undefined && this.#now() - toldMs <= this.#newsMs;
    const records = isNews ? Math.max(0, Number(end - offset)) : undefined;
    if (oldestMs !== undefined) return { records, seconds: Math.max(0, this.#systemMs() - oldestMs) / 1000 };
    if (records === undefined || records === 0) return { records, seconds: records };
    // Not fetched yet: it has waited at least as long as the lag was seen.
    return { records, seconds: lagMs === undefined ? undefined : (this.#now() - lagMs) / 1000 };
  }

  /** How long records have waited without a commit, in ms. @param silentMs when the group was last silent */
  stalledMs(id: string, silentMs: number): number {
    const seen = this.#seen.get(id);
    if (seen?.lagMs === undefined) return 0;
    return this.#now() - Math.max(seen.movedMs, seen.lagMs, silentMs);
  }

  #observe(id: string, offset: bigint, end: bigint | undefined, toldMs: number): void {
    const before = this.#seen.get(id);
    const now = this.#now();
    const stood = before?.offset === offset;
    this.#seen.set(id, {
      offset,
      movedMs: stood ? before.movedMs : now,
      end,
      toldMs,
      lagMs: end !== undefined && end > offset ? (before?.lagMs ?? now) : undefined,
      oldestMs: stood ? before.oldestMs : undefined,
    });
  }
}
