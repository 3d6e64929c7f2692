import type { ReplayRange } from './stored-replay.ts';

/** Progress of a replay at one moment. */
export interface ProgressSnapshot {
  /** Share of all offsets of the ranges that is done, 0 to 1. */
  readonly share: number;
  readonly samples: number;
  readonly samplesPerSecond: number;
  /** Undefined without progress. */
  readonly secondsLeft: number | undefined;
  /** Offsets between the position and the end of the range, for each partition that has any; the most first. */
  readonly behind: readonly { readonly partition: number; readonly offsets: number }[];
}

interface Point {
  readonly ms: number;
  readonly offsets: number;
  readonly samples: number;
}

/** Speeds are averages over this time, in ms. */
const WINDOW_MS = 20_000;
const POINT_EVERY_MS = 500;

/** Follows the positions of a replay. Samples are those of this process; times by `monotonicMs`. */
export class ReplayProgress {
  readonly #partitions = new Map<number, { from: bigint; to: bigint; position: bigint }>();
  #samples = 0;
  #points: Point[] = [];

  /** The replay starts, or resumes after an error, at these positions. */
  opened(partitions: ReadonlyMap<number, ReplayRange>, nowMs: number): void {
    for (const [partition, range] of partitions) this.#partitions.set(partition, { ...range });
    if (this.#points.length === 0) this.#points.push(this.#point(nowMs));
  }

  written(positions: ReadonlyMap<number, bigint>, samples: number, nowMs: number): void {
    for (const [partition, position] of positions) this.#partitions.get(partition)!.position = position;
    this.#samples += samples;
    if (nowMs - this.#points.at(-1)!.ms < POINT_EVERY_MS) return;
    this.#points.push(this.#point(nowMs));
    // One point from before the window stays: speeds are measured from there.
    while (this.#points.length > 2 && this.#points[1]!.ms < nowMs - WINDOW_MS) this.#points.shift();
  }

  snapshot(nowMs: number): ProgressSnapshot {
    const behind = [...this.#partitions]
      .map(([partition, { position, to }]) => ({ partition, offsets: Number(to - position) }))
      .filter(({ offsets }) => offsets > 0)
      .sort((a, b) => b.offsets - a.offsets);
    const left = behind.reduce((sum, { offsets }) => sum + offsets, 0);
    const done = this.#done();
    const first = this.#points[0] ?? { ms: nowMs, offsets: done, samples: this.#samples };
    const seconds = (nowMs - first.ms) / 1000;
    const offsetsPerSecond = seconds > 0 ? (done - first.offsets) / seconds : 0;
    return {
      // Before the ranges are known nothing is done; where they are empty everything is.
      share: done + left === 0 ? Math.min(1, this.#points.length) : done / (done + left),
      samples: this.#samples,
      samplesPerSecond: seconds > 0 ? (this.#samples - first.samples) / seconds : 0,
      secondsLeft: offsetsPerSecond > 0 ? left / offsetsPerSecond : undefined,
      behind,
    };
  }

  #done(): number {
    let done = 0;
    for (const { from, position } of this.#partitions.values()) done += Number(position - from);
    return done;
  }

  #point(ms: number): Point {
    return { ms, offsets: this.#done(), samples: this.#samples };
  }
}
