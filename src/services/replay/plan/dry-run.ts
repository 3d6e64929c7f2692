import { xxh64Into } from '../../../core/hash/xxhash64.ts';
import type { Pipeline } from '../../../core/pipeline/pipeline.ts';
import { release } from '../../../core/wire/bytes.ts';
import { seriesOf } from '../../../core/wire/series-walk.ts';
import { uncompress } from '../../../core/wire/snappy.ts';
import { routeChunk } from '../target/route-target.ts';
import {
  type ReplayChunk,
  type ReplayCounts,
  type ReplayStep,
  type ReplayTarget,
  Tally,
} from '../target/target.ts';
import type { Selection } from './selection.ts';

/** Limit for uncompressing a task record: uncompressed, too, it is below the limit of its topic. */
const MAX_TASK_BYTES = 1024 * 1024 * 1024;

export interface TaskForecast {
  records: number;
  samples: number;
  readonly series: SeriesCensus;
}

/** Counts what a replay would write, by the very code that would write it. Writes and stores nothing. */
export class DryRun implements ReplayTarget {
  readonly series = new SeriesCensus();
  /** By task; empty without a route. */
  readonly tasks = new Map<number, TaskForecast>();
  readonly counts = new Tally();
  readonly #selection: Selection;
  readonly #pipeline: Pipeline | undefined;

  /** @param pipeline of the route, if the replay has one */
  constructor(selection: Selection, pipeline?: Pipeline) {
    this.#selection = selection;
    this.#pipeline = pipeline;
  }

  async write({ chunks }: ReplayStep): Promise<ReplayCounts> {
    const tally = new Tally();
    for (const chunk of chunks) {
      if (this.#pipeline === undefined) this.#look(chunk, tally);
      else this.#route(chunk, this.#pipeline, tally);
      await new Promise(setImmediate);
    }
    this.counts.add(tally);
    return tally;
  }

  #look({ records }: ReplayChunk, tally: Tally): void {
    for (const record of records) {
      tally.records += 1;
      const opened = this.#selection.open(record);
      tally.samples += opened.samples;
      tally.leave(opened);
      if (opened.body !== undefined) this.series.add(opened.body);
    }
  }

  #route(chunk: ReplayChunk, pipeline: Pipeline, tally: Tally): void {
    for (const { partition, value, samples } of routeChunk(chunk, pipeline, this.#selection, tally)) {
      let task = this.tasks.get(partition);
      if (task === undefined)
        this.tasks.set(partition, (task = { records: 0, samples: 0, series: new SeriesCensus() }));
      task.records += 1;
      task.samples += samples;
      const body = uncompress(value, MAX_TASK_BYTES);
      task.series.add(body);
      this.series.add(body);
      release(value);
    }
  }
}

/** A Set holds at most 2^24 numbers. */
const SHARDS = 64;
const LOW_BITS = 2 ** 32;
/** Bits of the upper half of a hash that fit into a number beside the lower half. */
const HIGH_MASK = 0x1f_ffff;

/**
 * Counts distinct series by a hash of their labels, as they are encoded: the same labels in another order count as
 * another series. Keeps some 20 bytes per series. With 53 bits of the hash, any two of 10 million series collide with a
 * probability of 0.5 %.
 */
class SeriesCensus {
  readonly #shards: ReadonlyArray<Set<number>> = Array.from({ length: SHARDS }, () => new Set<number>());
  readonly #hash = new Uint32Array(2);

  get size(): number {
    return this.#shards.reduce((sum, { size }) => sum + size, 0);
  }

  /** Adds every series of an uncompressed WriteRequest. */
  add(body: Buffer): void {
    for (const { bytes, start, labelsEnd } of seriesOf(body)) {
      xxh64Into(bytes, start, labelsEnd, this.#hash);
      const [high = 0, low = 0] = this.#hash;
      this.#shards[low % SHARDS]!.add((high & HIGH_MASK) * LOW_BITS + low);
    }
  }
}
