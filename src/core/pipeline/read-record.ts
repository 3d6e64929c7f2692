import type { IngestLimits } from '../decode/decoder.ts';
import { type RecordBudget, threadCpuMs } from '../decode/record-budget.ts';
import type { DecoderRegistry } from '../decode/registry.ts';
import { PoisonError } from '../model/errors.ts';
import type { Labels } from '../model/labels.ts';
import type { SourceRecord } from '../model/records.ts';
import { LabelBlock } from '../wire/label-block.ts';
import { type PlainSample, type SeriesBytes, SeriesWalk, samplesOf } from '../wire/series-walk.ts';
import { type OpenedRecord, openRecord } from './open-record.ts';
import { splitByTime, timeWindow } from './sample-age.ts';
import { tenantHeadersOf } from './tenant.ts';

/** A series as received, before any route. */
export interface ReadSeries {
  readonly labels: Labels;
  /** Its samples in their order; times in ms since the epoch. */
  readonly samples: Iterable<PlainSample>;
  readonly exemplars: number;
  readonly histograms: number;
}

/** Receives the series and rejects of a record in their order; those of the decoder come last. */
export interface RecordVisitor {
  series(series: ReadSeries): void;
  /** The whole record, the rest that may not be read, a part that the decoder set aside, or a series. */
  reject(reason: string, message: string): void;
}

/** Cost of a series in units of the budget, as in the worker (series-router.ts). */
const SERIES_UNITS = 8;

/** Series visited at a time: the CPU time of the visits is measured once for all of them. */
const SERIES_A_VISIT = 256;

/** Content of a record beside its series, which is not carried on. */
export interface LeftBehind {
  readonly metadata: number;
  readonly unknownFields: number;
  readonly uncarried: Readonly<Record<string, number>>;
}

export const NOTHING_LEFT: LeftBehind = { metadata: 0, unknownFields: 0, uncarried: {} };

/**
 * Reads one record as a worker does, up to routing: the same decoders, limits, checks and refusals. Time spent in the
 * visitor is not charged to the record. Plain twin of the pipeline, without a cache; a test compares the two.
 */
export class RecordReading {
  readonly #decoders: DecoderRegistry;
  readonly #limits: IngestLimits;
  readonly #nowMs: number;
  readonly #block = new LabelBlock();
  readonly #tenantHeaders: readonly string[];
  #budget: RecordBudget | undefined;
  /** Read and not yet visited. */
  #series: ReadSeries[] = [];
  /** Error that ends the reading of the record. */
  #stopped: PoisonError | undefined;

  /** @param nowMs the time from which `max_age` and `max_future` count */
  constructor(
    decoders: DecoderRegistry,
    limits: IngestLimits,
    nowMs: number,
    tenantHeaders: readonly string[] = [],
  ) {
    this.#tenantHeaders = tenantHeaders;
    this.#decoders = decoders;
    this.#limits = limits;
    this.#nowMs = nowMs;
  }

  /** Bad input is a reject. @throws RetryableError if the schema has not been fetched; any other error is a defect */
  read(record: SourceRecord, visitor: RecordVisitor): LeftBehind {
    let opened: OpenedRecord;
    try {
      tenantHeadersOf(record.headers, this.#tenantHeaders, this.#limits.tenant_bytes);
      opened = openRecord(record, this.#decoders, this.#limits, () => this.#nowMs);
    } catch (error) {
      if (!(error instanceof PoisonError)) throw error;
      visitor.reject(error.reason, error.message);
      return NOTHING_LEFT;
    }
    const { decoded, framing, budget } = opened;
    this.#budget = budget;
    this.#stopped = undefined;
    const { body, rejects } = decoded;
    const unread = this.#walk(body, budget, visitor);
    this.#visit(visitor);
    const stopped = this.#stopped as PoisonError | undefined;
    if (stopped !== undefined && unread < body.length) visitor.reject(stopped.reason, stopped.message);
    for (const { reason, message } of rejects) visitor.reject(reason, message);
    const { metadata, unknown: unknownFields } = framing;
    return { metadata, unknownFields, uncarried: decoded.uncarried ?? {} };
  }

  /** Each TimeSeries is visited, rejected, or both if only some of its samples are taken. @returns where it ended */
  #walk(body: Buffer, budget: RecordBudget, visitor: RecordVisitor): number {
    const walk = new SeriesWalk(body, budget);
    while (this.#stopped === undefined) {
      try {
        if (!walk.next()) break;
        this.#read(walk.series, budget, visitor);
      } catch (error) {
        if (!(error instanceof PoisonError)) throw error;
        if (error === budget.exceeded) {
          this.#stopped = error;
          return walk.fieldStart;
        }
        this.#setAside(error, visitor);
      }
    }
    return walk.position;
  }

  #setAside(error: PoisonError, visitor: RecordVisitor): void {
    this.#visit(visitor);
    visitor.reject(error.reason, error.message);
    this.#stopped ??= this.#budget?.countFault();
  }

  #read(received: SeriesBytes, budget: RecordBudget, visitor: RecordVisitor): void {
    budget.spend(SERIES_UNITS);
    const series = received.checked(budget);
    const { bytes, view, start, labelsEnd, tail } = series;
    const window = timeWindow(this.#limits, this.#nowMs);
    if (tail.oldestMs < window.oldest || tail.newestMs > window.newest) {
      const { taken, refused } = splitByTime(series, window, budget);
      if (taken !== undefined) this.#read(taken, budget, visitor);
      for (const { error } of refused) this.#setAside(error, visitor);
      return;
    }
    this.#block.decode(bytes, start, labelsEnd, this.#limits, view);
    const { exemplars, histograms } = tail;
    this.#series.push({ labels: this.#block.labels, samples: samplesOf(series), exemplars, histograms });
    if (this.#series.length >= SERIES_A_VISIT) this.#visit(visitor);
  }

  #visit(visitor: RecordVisitor): void {
    const before = threadCpuMs();
    for (const series of this.#series) visitor.series(series);
    this.#series = [];
    this.#budget?.exclude(threadCpuMs() - before);
  }
}
