import type { IngestLimits } from '../decode/decoder.ts';
import { type RecordBudget, threadCpuMs } from '../decode/record-budget.ts';
import type { DecoderRegistry } from '../decode/registry.ts';
import { PoisonError } from '../model/errors.ts';
import type { Labels } from '../model/labels.ts';
import type { SourceRecord } from '../model/records.ts';
import { LabelBlock, labelBlockEnd } from '../wire/label-block.ts';
import { labelsFirst } from '../wire/labels-first.ts';
import { ProtobufReader } from '../wire/protobuf-reader.ts';
import { readTail, SAMPLE, SeriesTail, TIME_SERIES, WRITE_REQUEST } from '../wire/write-request.ts';
import { type OpenedRecord, openRecord } from './open-record.ts';
import { splitByTime, timeWindow } from './sample-age.ts';
import { tenantHeadersOf } from './tenant.ts';

/** A series as received, before any route. */
export interface ReadSeries {
  readonly labels: Labels;
  /** Its samples in their order; times in ms since the epoch. */
  readonly samples: Iterable<{ readonly timestamp: bigint; readonly value: number }>;
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
  readonly #tail = new SeriesTail();
  readonly #block = new LabelBlock();
  readonly #tenantHeaders: readonly string[];
  #budget: RecordBudget | undefined;
  /** Read and not yet visited. */
  #series: ReadSeries[] = [];
  /** Error that ends the reading of the record. */
  #stopped: PoisonError | undefined;
  /** The reading ended within a series, which is not read either. */
  #cut = false;

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
    this.#cut = false;
    const { body, rejects } = decoded;
    const fields = new ProtobufReader(body);
    while (this.#stopped === undefined && fields.next()) {
      if (fields.field === WRITE_REQUEST.timeseries) {
        const start = fields.block();
        this.#judge(body, start, fields.position, visitor);
      } else {
        this.#skip(fields);
      }
    }
    this.#visit(visitor);
    const stopped = this.#stopped as PoisonError | undefined;
    if (stopped !== undefined && (this.#cut || fields.position < body.length))
      visitor.reject(stopped.reason, stopped.message);
    for (const { reason, message } of rejects) visitor.reject(reason, message);
    const { metadata, unknown: unknownFields } = framing;
    return { metadata, unknownFields, uncarried: decoded.uncarried ?? {} };
  }

  #skip(fields: ProtobufReader): void {
    fields.skip();
    try {
      this.#budget?.spend();
    } catch (error) {
      if (error !== this.#budget?.exceeded) throw error;
      this.#stopped = error as PoisonError;
    }
  }

  /** The TimeSeries in `[start, end)` is visited, rejected, or both if only some of its samples are taken. */
  #judge(body: Buffer, start: number, end: number, visitor: RecordVisitor): void {
    try {
      this.#read(body, start, end, visitor);
    } catch (error) {
      if (!(error instanceof PoisonError)) throw error;
      if (error === this.#budget?.exceeded) {
        this.#stopped = error;
        this.#cut = true;
      } else this.#setAside(error, visitor);
    }
  }

  #setAside(error: PoisonError, visitor: RecordVisitor): void {
    this.#visit(visitor);
    visitor.reject(error.reason, error.message);
    this.#stopped ??= this.#budget?.countFault();
  }

  #read(body: Buffer, start: number, end: number, visitor: RecordVisitor): void {
    const tail = this.#tail;
    const labelsEnd = labelBlockEnd(body, start, end);
    this.#budget?.spend(SERIES_UNITS);
    readTail(body, labelsEnd, end, tail, this.#budget);
    if (tail.hasLabels) {
      const { bytes } = labelsFirst(body, start, end);
      this.#read(bytes, 0, bytes.length, visitor);
      return;
    }
    const window = timeWindow(this.#limits, this.#nowMs);
    if (tail.oldestMs < window.oldest || tail.newestMs > window.newest) {
      const { taken, refused } = splitByTime(body, start, labelsEnd, end, window, this.#budget);
      if (taken !== undefined) this.#judge(taken, 0, taken.length, visitor);
      for (const { error } of refused) this.#setAside(error, visitor);
      return;
    }
    this.#block.decode(body, start, labelsEnd, this.#limits);
    const { exemplars, histograms } = tail;
    const { labels } = this.#block;
    this.#series.push({ labels, samples: samplesOf(body, labelsEnd, end), exemplars, histograms });
    if (this.#series.length >= SERIES_A_VISIT) this.#visit(visitor);
  }

  #visit(visitor: RecordVisitor): void {
    const before = threadCpuMs();
    for (const series of this.#series) visitor.series(series);
    this.#series = [];
    this.#budget?.exclude(threadCpuMs() - before);
  }
}

/** The samples of a TimeSeries whose fields have been checked. */
function* samplesOf(
  body: Buffer,
  start: number,
  end: number,
): Iterable<{ timestamp: bigint; value: number }> {
  for (const fields = new ProtobufReader(body, start, end); fields.next(); ) {
    if (fields.field !== TIME_SERIES.samples) {
      fields.skip();
      continue;
    }
    let value = 0;
    let timestamp = 0n;
    for (const sample = fields.message(); sample.next(); ) {
      if (sample.field === SAMPLE.value) value = sample.double();
      else if (sample.field === SAMPLE.timestamp) timestamp = sample.int64();
      else sample.skip();
    }
    yield { timestamp, value };
  }
}
