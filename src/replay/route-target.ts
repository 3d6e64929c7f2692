import { runRecords } from '../careful-step.ts';
import type { OutgoingRecord } from '../kafka/outgoing.ts';
import type { FetchedRecord } from '../kafka/partition-queue.ts';
import type { Pipeline, SourceRecord, TaskRecord } from '../pipeline.ts';
import { formatSource, taskRecords } from '../publish/step-records.ts';
import { release } from '../wire/bytes.ts';
import type { Journal } from './journal.ts';
import type { Selected, Selection } from './selection.ts';
import { Tally } from './tally.ts';
import type { ReplayChunk, ReplayCounts, ReplayStep, ReplayTarget } from './target.ts';

/**
 * decode ▸ route ▸ relabel ▸ hash 1 ▸ encode, as in the worker, with one route; records and positions in one
 * transaction. What cannot be used is counted: the worker has written the dead letter when it met it.
 */
export class RouteTarget implements ReplayTarget {
  readonly #pipeline: Pipeline;
  readonly #selection: Selection;
  readonly #journal: Pick<Journal, 'id' | 'send'>;

  constructor(pipeline: Pipeline, selection: Selection, journal: Pick<Journal, 'id' | 'send'>) {
    this.#pipeline = pipeline;
    this.#selection = selection;
    this.#journal = journal;
  }

  async write({ chunks, positions }: ReplayStep): Promise<ReplayCounts> {
    const tally = new Tally();
    const outgoing: OutgoingRecord[] = [];
    const made: TaskRecord[] = [];
    for (const chunk of chunks) {
      const records = routeChunk(chunk, this.#pipeline, this.#selection, tally);
      made.push(...records);
      outgoing.push(...taskRecords(records, sourceOf(chunk), { 'penstock-replay': this.#journal.id }));
      // Between two partitions others get their turn: fetches, heartbeats, /metrics.
      await new Promise(setImmediate);
    }
    await this.#journal.send(outgoing, { positions, counts: tally });
    for (const { value } of made) release(value); // the request had a copy, and it is answered
    return tally;
  }

  async close(): Promise<void> {}
}

/** What the pipeline makes of the selected part of a chunk. */
export function routeChunk(
  { records }: ReplayChunk,
  pipeline: Pipeline,
  selection: Selection,
  tally: Tally,
): TaskRecord[] {
  if (records.length === 0) return [];
  tally.records += records.length;
  /** By offset: a record may be selected again. */
  const left = new Map<bigint, Selected>();
  const select = (record: SourceRecord) => {
    const { record: selected, ...counts } = selection.select(record as FetchedRecord);
    left.set(record.offset, counts);
    return selected;
  };
  const { output } = runRecords(pipeline, records, {
    isFull: () => false,
    onDefect: () => undefined, // counted with what else is refused
    select: selection.takesAll ? undefined : select,
  });
  for (const { leftOut, refused } of left.values()) {
    tally.leftOut += leftOut;
    tally.refuseAll(refused);
  }
  const { records: made, dead, counts } = output;
  for (const { reason, series } of dead) tally.refuse(reason, Math.max(1, series));
  tally.leftOut += counts.unroutedSamples + counts.routes[0]!.droppedSamples;
  tally.samples += counts.routes[0]!.samples;
  return made;
}

function sourceOf({ partition, records }: ReplayChunk): string {
  const { topic, offset: first } = records[0]!;
  return formatSource({ topic, partition, first, last: records.at(-1)!.offset });
}
