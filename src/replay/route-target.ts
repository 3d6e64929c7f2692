import { runRecords } from '../careful-step.ts';
import type { OutgoingRecord } from '../kafka/outgoing.ts';
import type { FetchedRecord } from '../kafka/partition-queue.ts';
import { monotonicMs } from '../model/clock.ts';
import type { Pipeline, SourceRecord, TaskRecord } from '../pipeline.ts';
import { formatSource, taskRecords } from '../publish/step-records.ts';
import { exceeds, STEP_LIMITS, type StepLimits } from '../step-limits.ts';
import { release } from '../wire/bytes.ts';
import type { Journal } from './journal.ts';
import type { Selected, Selection } from './selection.ts';
import { addCounts, NO_COUNTS, Tally } from './tally.ts';
import type { ReplayChunk, ReplayCounts, ReplayStep, ReplayTarget } from './target.ts';

/**
 * decode ▸ route ▸ relabel ▸ hash 1 ▸ encode, as in the worker, with one route; records and positions in one
 * transaction. What cannot be used is counted: the worker has written the dead letter when it met it.
 *
 * A step that becomes more than a worker's may (step-limits.ts) is written in several transactions, each with the
 * positions that it reaches.
 */
export class RouteTarget implements ReplayTarget {
  readonly #pipeline: Pipeline;
  readonly #selection: Selection;
  readonly #journal: Pick<Journal, 'id' | 'send'>;
  readonly #limits: StepLimits;

  constructor(
    pipeline: Pipeline,
    selection: Selection,
    journal: Pick<Journal, 'id' | 'send'>,
    limits = STEP_LIMITS,
  ) {
    this.#pipeline = pipeline;
    this.#selection = selection;
    this.#journal = journal;
    this.#limits = limits;
  }

  async write({ chunks, positions }: ReplayStep): Promise<ReplayCounts> {
    let total = NO_COUNTS;
    let publication = new Publication();
    const send = async (reached: ReadonlyMap<number, bigint>) => {
      const { outgoing, tally, made } = publication;
      await this.#journal.send(outgoing, { positions: reached, counts: tally });
      for (const { value } of made) release(value); // the request had a copy, and it is answered
      total = addCounts(total, tally);
      publication = new Publication();
    };
    for (const chunk of chunks) {
      let { records } = chunk;
      while (records.length > 0) {
        const { tally } = publication;
        const part = routePart({ ...chunk, records }, this.#pipeline, this.#selection, tally, this.#limits);
        publication.add(part, this.#journal.id);
        records = part.left;
        const next = records[0]?.offset ?? positions.get(chunk.partition);
        if (next !== undefined) publication.positions.set(chunk.partition, next);
        if (records.length > 0 || publication.exceeds(this.#limits)) await send(publication.positions);
        // Others get their turn: fetches, heartbeats, /metrics.
        await new Promise(setImmediate);
      }
    }
    await send(positions);
    return total;
  }

  async close(): Promise<void> {}
}

/** What goes into one transaction. */
class Publication {
  readonly outgoing: OutgoingRecord[] = [];
  readonly made: TaskRecord[] = [];
  readonly tally = new Tally();
  /** Of the partitions of which something is in it. */
  readonly positions = new Map<number, bigint>();
  #bytes = 0;

  add({ partition, done, made }: RoutedPart, replay: string): void {
    const { topic, offset: first } = done[0]!;
    const source = formatSource({ topic, partition, first, last: done.at(-1)!.offset });
    for (const record of taskRecords(made, source, Date.now(), { 'penstock-replay': replay }))
      this.outgoing.push(record);
    for (const record of made) {
      this.made.push(record);
      this.#bytes += record.value.length;
    }
  }

  exceeds({ records, outputBytes }: StepLimits): boolean {
    return this.outgoing.length >= records || this.#bytes > outputBytes;
  }
}

/** What came of the first records of a chunk. */
interface RoutedPart {
  readonly partition: number;
  readonly made: TaskRecord[];
  readonly done: readonly FetchedRecord[];
  readonly left: readonly FetchedRecord[];
}

/** What the pipeline makes of the selected part of a chunk. */
export function routeChunk(
  chunk: ReplayChunk,
  pipeline: Pipeline,
  selection: Selection,
  tally: Tally,
): TaskRecord[] {
  if (chunk.records.length === 0) return [];
  return routePart(chunk, pipeline, selection, tally).made;
}

/** The same of as many records, one at least, as the limits allow; without limits of all. */
function routePart(
  { partition, records }: ReplayChunk,
  pipeline: Pipeline,
  selection: Selection,
  tally: Tally,
  limits?: StepLimits,
): RoutedPart {
  /** By offset: a record may be selected again. */
  const selections = new Map<bigint, Selected>();
  const select = (record: SourceRecord) => {
    const { record: selected, ...counts } = selection.select(record as FetchedRecord);
    selections.set(record.offset, counts);
    return selected;
  };
  const endMs = monotonicMs() + (limits?.ms ?? 0);
  const { output, count } = runRecords(pipeline, records, {
    isFull: (load) => limits !== undefined && (monotonicMs() >= endMs || exceeds(load, limits)),
    onDefect: () => undefined, // counted with what else is refused
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
