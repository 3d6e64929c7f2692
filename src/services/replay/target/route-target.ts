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
import { addCounts, NO_COUNTS, Tally } from './tally.ts';
import type { ReplayChunk, ReplayCounts, ReplayStep, ReplayTarget } from './target.ts';

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
  readonly #journal: Pick<Journal, 'id' | 'send'>;
  readonly #size: StepSize;
  readonly #limits: StepLimits;
  readonly #onDefect: OnDefect;

  constructor(
    pipeline: Pipeline,
    selection: Selection,
    journal: Pick<Journal, 'id' | 'send'>,
    { size, limits = STEP_LIMITS, onDefect = nobody }: RouteTargetOptions,
  ) {
    this.#pipeline = pipeline;
    this.#selection = selection;
    this.#journal = journal;
    this.#size = size;
    this.#limits = limits;
    this.#onDefect = onDefect;
  }

  async write({ chunks, positions }: ReplayStep): Promise<ReplayCounts> {
    let total = NO_COUNTS;
    let publication = new Publication();
    const size = this.#size;
    const send = async (reached: ReadonlyMap<number, bigint>) => {
      const { outgoing, tally, made, done } = publication;
      const started = monotonicMs();
      try {
        await this.#journal.send(outgoing, { positions: reached, counts: tally });
      } catch (error) {
        throw size.failed(error, done, monotonicMs() - started, outgoing);
      }
      if (done.length > 0) size.published();
      for (const { value } of made) release(value); // free to reuse: the request had a copy, and is answered
      total = addCounts(total, tally);
      publication = new Publication();
    };
    for (const chunk of chunks) {
      let { records } = chunk;
      while (records.length > 0) {
        const { tally } = publication;
        const isAlone = size.isReduced;
        const part = routePart({ ...chunk, records }, this.#pipeline, this.#selection, tally, {
          limits: this.#limits,
          most: size.records,
          refusalOf: (record) => size.refusalOf(record),
          onDefect: this.#onDefect,
        });
        publication.add(part, this.#journal.id);
        records = part.left;
        const next = records[0]?.offset ?? positions.get(chunk.partition);
        if (next !== undefined) publication.positions.set(chunk.partition, next);
        if (isAlone || records.length > 0 || publication.exceeds(this.#limits))
          await send(publication.positions);
        // Yields the thread to fetches, heartbeats and /metrics.
        await new Promise(setImmediate);
      }
    }
    await send(positions);
    return total;
  }

  async close(): Promise<void> {}
}

type OnDefect = StepRun['onDefect'];

function nobody(): void {}

export interface RouteTargetOptions {
  /** Number of records in a transaction. It outlives the target, which is made again after an error. */
  readonly size: StepSize;
  readonly limits?: StepLimits;
  /** Told of each record that is refused because Penstock has a defect. */
  readonly onDefect?: OnDefect;
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

  add({ partition, done, made }: RoutedPart, replay: string): void {
    const { topic, offset: first } = done[0]!;
    const source = formatSource({ topic, partition, first, last: done.at(-1)!.offset });
    for (const record of taskRecords(made, source, Date.now(), { [HEADER.replay]: replay }))
      this.outgoing.push(record);
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

/** Output of the first records of a chunk. */
interface RoutedPart {
  readonly partition: number;
  readonly made: TaskRecord[];
  readonly done: readonly FetchedRecord[];
  readonly left: readonly FetchedRecord[];
}

/** Runs the selected part of a chunk through the pipeline. */
export function routeChunk(
  chunk: ReplayChunk,
  pipeline: Pipeline,
  selection: Selection,
  tally: Tally,
  onDefect: OnDefect = nobody,
): TaskRecord[] {
  if (chunk.records.length === 0) return [];
  return routePart(chunk, pipeline, selection, tally, { onDefect }).made;
}

interface PartOptions extends Pick<StepRun, 'onDefect' | 'refusalOf'> {
  readonly limits?: StepLimits;
  /** Most records; absent: all. */
  readonly most?: number;
}

/** The same for as many records as the limits allow, at least one; without limits for all. */
function routePart(
  { partition, records }: ReplayChunk,
  pipeline: Pipeline,
  selection: Selection,
  tally: Tally,
  { limits, most = records.length, refusalOf, onDefect }: PartOptions,
): RoutedPart {
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
    onDefect, // counted with the other refusals
    refusalOf,
    select: selection.takesAll ? undefined : select,
  });
  tally.records += count;
  for (const { leftOut, refused } of selections.values()) {
    tally.leftOut += leftOut;
    tally.refuseAll(refused);
  }
  const { records: made, dead, counts } = output;
  for (const { reason, series } of dead) tally.refuse(reason, Math.max(1, series));
  tally.refuse('empty_record', counts.uncarried['empty_record'] ?? 0);
  tally.leftOut += counts.unroutedSamples + counts.routes[0]!.droppedSamples;
  tally.samples += counts.routes[0]!.samples;
  return { partition, made, done: records.slice(0, count), left: records.slice(count) };
}
