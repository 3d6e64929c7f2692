import { isRecordTime } from '../../core/record/record-time.ts';

/** How far behind a partition is; undefined is not known. */
export interface Lag {
  readonly records: number | undefined;
  /** Age of the oldest record that waits; 0 where none does. */
  readonly seconds: number | undefined;
}

/** What was seen of a partition that is read. Times by `monotonicMs`. */
interface Seen {
  /** The next offset to read, as committed. */
  readonly offset: bigint;
  /** When it was first seen there. */
  readonly movedMs: number;
  readonly end: bigint | undefined;
  /** When the end was told. */
  readonly toldMs: number;
  /** Since when records wait; undefined while none do. */
  readonly lagMs: number | undefined;
  /** Timestamp of the record at `offset`, ms since the epoch; undefined before it was fetched. */
  readonly oldestMs: number | undefined;
}

/** How far the partitions of a group are, by what Kafka tells now and then and by what is committed. */
export class PartitionProgress {
  readonly #newsMs: number;
  readonly #now: () => number;
  readonly #systemMs: () => number;
  readonly #seen = new Map<string, Seen>();

  /**
   * @param newsMs what Kafka told longer ago than this counts as unknown
   * @param systemMs the system's time, against which records' times are held, in ms since the epoch
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

  /** Kafka tells what is committed, and the end. A commit that came between is newer than what was asked for before. */
  told(id: string, committed: bigint, end: bigint): void {
    const before = this.#seen.get(id)?.offset;
    const isOld = before !== undefined && committed < before && committed < end;
    this.#observe(id, isOld ? before : committed, end, this.#now());
  }

  /** The first record that was fetched and is not done, by what is known there: its commit may have come meanwhile. */
  fetched(id: string, { offset, timestamp }: { readonly offset: bigint; readonly timestamp: number }): void {
    const seen = this.#seen.get(id);
    if (seen === undefined || offset < seen.offset || !isRecordTime(timestamp)) return;
    this.#seen.set(id, { ...seen, oldestMs: timestamp });
  }

  forget(id: string): void {
    this.#seen.delete(id);
  }

  /** A partition that comes back is a new one: what it did elsewhere is not known here. */
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
    // Where the record has not been fetched, it has waited for as long as it was seen to, at least.
    return { records, seconds: lagMs === undefined ? undefined : (this.#now() - lagMs) / 1000 };
  }

  /** For how long records have waited without a commit, in ms; `silentMs` is when the group was last silent. */
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
