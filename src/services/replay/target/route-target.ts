import type { OutgoingRecord, SourceRecord, TaskRecord } from '../../../core/model/records.ts';
import { runRecords, type StepRun } from '../../../core/pipeline/careful-step.ts';
import type { Pipeline } from '../../../core/pipeline/pipeline.ts';
import { exceeds, STEP_LIMITS, type StepLimits } from '../../../core/pipeline/step-limits.ts';
import { HEADER } from '../../../core/record/headers.ts';
import { formatSource, taskRecords } from '../../../core/record/task-record.ts';
import { release } from '../../../core/wire/bytes.ts';
import type { FetchedRecord } from '../../../io/kafka/partition-queue.ts';
import type { StepSize } from '../../../io/kafka/produce/step-size.ts';
import { monotonicMs } from '../../../io/time/clock.ts';
import type { Journal } from '../journal.ts';
import type { Selected, Selection } from '../plan/selection.ts';
import { type ReplayChunk, type ReplayCounts, type ReplayStep, type ReplayTarget, Tally } from './target.ts';

/**
 * decode ▸ route ▸ relabel ▸ hash 1 ▸ encode, as in the worker, with one route; records and positions in one
 * transaction. Unusable records and series are only counted: the worker has already written their dead letters.
 *
 * A step whose output exceeds a worker's limits (core/pipeline/step-limits.ts) is written in several transactions, each
 * with the positions that it reaches. A transaction that is refused or times out is tried again with fewer records,
 * down to the record at fault, which is counted as refused (io/kafka/produce/step-size.ts).
 */
export class RouteTarget implements ReplayTarget {
  readonly #pipeline: Pipeline;
  readonly #selection: Selection;
  readonly #journal: Pick<Journal, 'id' | 'store'>;
  readonly #options: RouteTargetOptions;

  constructor(
    pipeline: Pipeline,
    selection: Selection,
    journal: Pick<Journal, 'id' | 'store'>,
    options: RouteTargetOptions,
  ) {
    this.#pipeline = pipeline;
    this.#selection = selection;
    this.#journal = journal;
    this.#options = options;
  }

  async write({ chunks, positions }: ReplayStep): Promise<ReplayCounts> {
    const { size, nowMs, limits = STEP_LIMITS } = this.#options;
    const total = new Tally();
    let publication = new Publication();
    const send = async (reached: ReadonlyMap<number, bigint>) => {
      const { outgoing, tally, made, done } = publication;
      const started = monotonicMs();
      try {
        await this.#journal.store({ positions: reached, counts: tally }, outgoing);
      } catch (error) {
        throw size.failed(error, done, monotonicMs() - started, outgoing);
      }
      if (done.length > 0) size.published();
      for (const { value } of made) release(value); // free to reuse: the request had a copy, and is answered
      total.add(tally);
      publication = new Publication();
    };
    for (const { partition, records } of chunks) {
      let left = records;
      while (left.length > 0) {
        const isAlone = size.isReduced;
        const chunk = { partition, records: left };
        const part = routePart(chunk, this.#pipeline, this.#selection, publication.tally, {
          limits,
          most: size.records,
          refusalOf: (record) => size.refusalOf(record),
        });
        const done = left.slice(0, part.count);
        left = left.slice(part.count);
        publication.add(done, part.made, { [HEADER.replay]: this.#journal.id }, nowMs());
        const next = left[0]?.offset ?? positions.get(partition);
        if (next !== undefined) publication.positions.set(partition, next);
        if (isAlone || left.length > 0 || publication.exceeds(limits)) await send(publication.positions);
        // Yields the thread to fetches, heartbeats and /metrics.
        await new Promise(setImmediate);
      }
    }
    await send(positions);
    return total;
  }
}

export interface RouteTargetOptions {
  /** Number of records in a transaction. It outlives the target, which is made again after an error. */
  readonly size: StepSize;
  readonly limits?: StepLimits;
  /** The system's time, for records that are written. */
  readonly nowMs: () => number;
}

/** Content of one transaction. */
class Publication {
  readonly outgoing: OutgoingRecord[] = [];
  /** The records of the source that it covers. */
  readonly done: FetchedRecord[] = [];
  readonly made: TaskRecord[] = [];
  readonly tally = new Tally();
  /** Positions of the partitions that it covers. */
  readonly positions = new Map<number, bigint>();
  #bytes = 0;

  add(
    done: readonly FetchedRecord[],
    made: readonly TaskRecord[],
    headers: Readonly<Record<string, string>>,
    nowMs: number,
  ): void {
    const { topic, partition, offset: first } = done[0]!;
    const source = formatSource({ topic, partition, first, last: done.at(-1)!.offset });
    for (const record of taskRecords(made, source, nowMs, headers)) this.outgoing.push(record);
    for (const record of done) this.done.push(record);
    for (const record of made) {
      this.made.push(record);
      this.#bytes += record.value.length;
    }
  }

  exceeds({ records, outputBytes }: StepLimits): boolean {
    return this.outgoing.length >= records || this.#bytes > outputBytes;
  }
}

/** Runs the selected part of a chunk through the pipeline. */
export function routeChunk(
  chunk: ReplayChunk,
  pipeline: Pipeline,
  selection: Selection,
  tally: Tally,
): TaskRecord[] {
  return routePart(chunk, pipeline, selection, tally, {}).made;
}

interface PartOptions extends Pick<StepRun, 'refusalOf'> {
  readonly limits?: StepLimits;
  /** Most records; absent: all. */
  readonly most?: number;
}

/** The same for as many records as the limits allow, at least one; without limits for all. */
function routePart(
  { records }: ReplayChunk,
  pipeline: Pipeline,
  selection: Selection,
  tally: Tally,
  { limits, most = records.length, refusalOf }: PartOptions,
): { readonly made: TaskRecord[]; readonly count: number } {
  /** By offset: a record may be selected again. */
  const selections = new Map<bigint, Selected>();
  const select = (record: SourceRecord) => {
    const { record: selected, ...counts } = selection.select(record as FetchedRecord);
    selections.set(record.offset, counts);
    return selected;
  };
  const endMs = monotonicMs() + (limits?.ms ?? 0);
  const { output, count } = runRecords(pipeline, records.slice(0, most), {
    isFull: (load) => limits !== undefined && (monotonicMs() >= endMs || exceeds(load, limits)),
    onDefect: selection.onDefect, // counted with the other refusals
    refusalOf,
    select: selection.takesAll ? undefined : select,
  });
  tally.records += count;
  for (const each of selections.values()) tally.leave(each);
  const { records: made, dead, counts } = output;
  for (const { reason, series } of dead) tally.refuse(reason, Math.max(1, series));
  tally.refuse('empty_record', counts.uncarried['empty_record'] ?? 0);
  tally.leftOut += counts.unroutedSamples + counts.routes[0]!.droppedSamples;
  tally.samples += counts.routes[0]!.samples;
  return { made, count };
}
