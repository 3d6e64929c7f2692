import type { Pipeline } from '../../../core/pipeline/pipeline.ts';
import { release } from '../../../core/wire/bytes.ts';
import { uncompress } from '../../../core/wire/snappy.ts';
import { routeChunk } from '../target/route-target.ts';
import { addCounts, NO_COUNTS, Tally } from '../target/tally.ts';
import type { ReplayChunk, ReplayCounts, ReplayStep, ReplayTarget } from '../target/target.ts';
import type { Selection } from './selection.ts';
import { SeriesCensus } from './series-census.ts';

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
  #counts: ReplayCounts = NO_COUNTS;
  readonly #selection: Selection;
  readonly #pipeline: Pipeline | undefined;

  /** @param pipeline of the route, if the replay has one */
  constructor(selection: Selection, pipeline?: Pipeline) {
    this.#selection = selection;
    this.#pipeline = pipeline;
  }

  get counts(): ReplayCounts {
    return this.#counts;
  }

  async write({ chunks }: ReplayStep): Promise<ReplayCounts> {
    const tally = new Tally();
    for (const chunk of chunks) {
      if (this.#pipeline === undefined) this.#look(chunk, tally);
      else this.#route(chunk, this.#pipeline, tally);
      await new Promise(setImmediate);
    }
    this.#counts = addCounts(this.#counts, tally);
    return tally;
  }

  async close(): Promise<void> {}

  #look({ records }: ReplayChunk, tally: Tally): void {
    for (const record of records) {
      tally.records += 1;
      const { body, samples, leftOut, refused } = this.#selection.open(record);
      tally.samples += samples;
      tally.leftOut += leftOut;
      tally.refuseAll(refused);
      if (body !== undefined) this.series.add(body);
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
