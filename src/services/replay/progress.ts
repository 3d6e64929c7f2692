import { type StoredReplay, shareOf } from './stored-replay.ts';

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
  #partitions: StoredReplay['partitions'] = new Map();
  #samples = 0;
  #points: Point[] = [];

  /** The replay starts, or resumes after an error, at these positions. */
  opened(partitions: StoredReplay['partitions'], nowMs: number): void {
    this.#partitions = partitions;
    if (this.#points.length === 0) this.#points.push(this.#point(nowMs));
  }

  written(partitions: StoredReplay['partitions'], samples: number, nowMs: number): void {
    this.#partitions = partitions;
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
    const now = this.#point(nowMs);
    const first = this.#points[0] ?? now;
    const seconds = (nowMs - first.ms) / 1000;
    const perSecond = (key: 'offsets' | 'samples') => (seconds > 0 ? (now[key] - first[key]) / seconds : 0);
    return {
      // Before the ranges are known nothing is done; where they are empty everything is.
      share: this.#points.length === 0 ? 0 : shareOf({ partitions: this.#partitions }),
      samples: this.#samples,
      samplesPerSecond: perSecond('samples'),
      secondsLeft: perSecond('offsets') > 0 ? left / perSecond('offsets') : undefined,
      behind,
    };
  }

  #point(ms: number): Point {
    let offsets = 0;
    for (const { from, position } of this.#partitions.values()) offsets += Number(position - from);
    return { ms, offsets, samples: this.#samples };
  }
}
