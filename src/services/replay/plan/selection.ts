import type { Decoded, IngestLimits } from '../../../core/decode/decoder.ts';
import { RecordBudget } from '../../../core/decode/record-budget.ts';
import type { DecoderRegistry } from '../../../core/decode/registry.ts';
import { PoisonError, RecordDefect, RetryableError } from '../../../core/model/errors.ts';
import type { StepRun } from '../../../core/pipeline/careful-step.ts';
import { openRecord } from '../../../core/pipeline/open-record.ts';
import { ANY_TIME, splitByTime, type TimeWindow } from '../../../core/pipeline/sample-age.ts';
import { ByteSink } from '../../../core/wire/byte-sink.ts';
import { type SeriesBytes, SeriesWalk } from '../../../core/wire/series-walk.ts';
import { TAG_FIELD_1 } from '../../../core/wire/write-request.ts';
import type { FetchedRecord } from '../../../io/kafka/partition-queue.ts';
import type { ReplaySpec } from '../stored-replay.ts';
import { SeriesChoice, type SeriesChoiceOptions } from './series-choice.ts';

/** What to select of a range, and with which limits. */
export interface SelectionOptions extends SeriesChoiceOptions, Pick<ReplaySpec, 'fromMs' | 'toMs'> {
  /** Only those on a record as a whole apply here; labels are checked by the route that a series goes to. */
  readonly limits: IngestLimits;
  /** Headers to keep on a record that is encoded again. */
  readonly tenantHeaders: readonly string[];
  /** Told of each record that is refused because Penstock has a defect. */
  readonly onDefect?: StepRun['onDefect'];
  /** The time of reading, for records without a time. */
  readonly nowMs: () => number;
}

/** Counts of one record. Samples are data points: samples and native histograms. */
export interface Selected {
  readonly series: number;
  readonly samples: number;
  /** Samples outside of the selection. */
  readonly leftOut: number;
  /** Unusable records, parts and series, by reason. They are not handed on. */
  readonly refused: ReadonlyMap<string, number>;
}

export interface SelectedRecord extends Selected {
  /**
   * The record to hand on: the same object if all of it is taken; else one with a new value, an uncompressed
   * WriteRequest, and the headers that say so. Undefined if nothing is left.
   */
  readonly record: FetchedRecord | undefined;
}

export interface OpenedSelection extends Selected {
  /** The selected part as an uncompressed WriteRequest; undefined if nothing is left. */
  readonly body: Buffer | undefined;
  /** `body` is the whole content of the record, in whatever encoding that is. */
  readonly whole: boolean;
  /** The value of the record, decompressed, is `body` byte for byte. */
  readonly passedThrough: boolean;
}

/** Headers of a record whose value is a WriteRequest and not compressed. */
const WRITE_REQUEST_HEADERS = {
  'content-type': 'application/x-protobuf;proto=prometheus.WriteRequest',
  'content-encoding': 'identity',
} as const;

const NONE: ReadonlyMap<string, number> = new Map();

const WHOLE = Symbol('whole');

/**
 * Records ▸ the part of them to replay: by the labels of series as received (`--match`, `--sample`) and by the time of
 * samples (`--by sample-time`). No I/O.
 *
 * Every record is decoded and every series checked down to its fields, within the limits of a worker. Parts that are
 * malformed or over a limit are left out and counted; the worker has already written their dead letters.
 */
export class Selection {
  readonly #options: SelectionOptions;
  readonly #decoders: DecoderRegistry;
  readonly #choice: SeriesChoice;
  readonly #window: TimeWindow;
  readonly #sink = new ByteSink(64 * 1024);
  readonly #tenantHeaders: ReadonlySet<string>;
  readonly onDefect: StepRun['onDefect'];

  #series = 0;
  #samples = 0;
  #leftOut = 0;
  #refused: Map<string, number> | undefined;
  #budget = NO_BUDGET;
  /** Why the rest of the record is refused unread; undefined: it is not. */
  #stopped: PoisonError | undefined;

  constructor(options: SelectionOptions, decoders: DecoderRegistry) {
    this.#options = options;
    this.#decoders = decoders;
    this.#choice = new SeriesChoice(options);
    this.onDefect = options.onDefect ?? (() => undefined);
    const { fromMs = ANY_TIME.oldest, toMs = ANY_TIME.newest, tenantHeaders } = options;
    this.#window = { oldest: fromMs, newest: toMs - 1 };
    this.#tenantHeaders = new Set(tenantHeaders.map((name) => name.toLowerCase()));
  }

  /** Everything is selected: records may be handed on unread. */
  get takesAll(): boolean {
    const { oldest, newest } = this.#window;
    return this.#choice.takesAll && oldest === ANY_TIME.oldest && newest === ANY_TIME.newest;
  }

  /** The selected part as a record, for something that decodes by itself. */
  select(record: FetchedRecord): SelectedRecord {
    const { body, whole, passedThrough: _, ...counts } = this.open(record);
    if (whole) return { ...counts, record };
    if (body === undefined) return { ...counts, record: undefined };
    return { ...counts, record: { ...record, value: body, headers: this.#headers(record) } };
  }

  /** The selected part of a record, decoded. */
  open(record: FetchedRecord): OpenedSelection {
    this.#series = this.#samples = this.#leftOut = 0;
    this.#refused = undefined;
    this.#stopped = undefined;
    let body: Buffer | undefined;
    let decoded: Decoded | undefined;
    try {
      decoded = this.#decode(record);
      body = decoded.uncarried?.['empty_record'] === undefined ? this.#walk(decoded.body) : undefined;
    } catch (error) {
      if (error instanceof RetryableError) throw error;
      body = undefined;
      this.#series = this.#samples = this.#leftOut = 0;
      // An unforeseen error with one record must not end the replay.
      this.#refuse(error instanceof PoisonError ? error : this.#defect(record, error));
    }
    const intact = body !== undefined && body === decoded?.body;
    return {
      body,
      whole: intact && this.#refused === undefined,
      passedThrough: intact && decoded?.passedThrough === true,
      series: this.#series,
      samples: this.#samples,
      leftOut: this.#leftOut,
      refused: this.#refused ?? NONE,
    };
  }

  #decode(record: FetchedRecord): Decoded {
    const { decoded, budget } = openRecord(record, this.#decoders, this.#options.limits, this.#options.nowMs);
    this.#budget = budget;
    for (const reject of decoded.rejects) this.#refuse(reject);
    if (decoded.uncarried?.['empty_record'] !== undefined) this.#refuse({ reason: 'empty_record' });
    return decoded;
  }

  #defect(record: FetchedRecord, error: unknown): { readonly reason: string } {
    this.onDefect(record, new RecordDefect('decode', error));
    return { reason: 'defect' };
  }

  /** The same buffer if all of it is taken, else a new one; undefined if none of its series is left. */
  #walk(body: Buffer): Buffer | undefined {
    const walk = new SeriesWalk(body);
    const { view } = walk.series;
    const sink = this.#sink;
    sink.length = 0;
    let isCut = false;
    /** End of the part of the body that is copied to the sink, or left out. */
    let settled = 0;
    while (walk.next()) {
      const part = this.#judge(walk.series);
      if (part !== undefined) this.#series++;
      if (part === WHOLE) continue;
      isCut = true;
      sink.copy(view, settled, walk.fieldStart - settled);
      if (part !== undefined) sink.field(TAG_FIELD_1, part.view, 0, part.end);
      settled = walk.position;
    }
    if (!isCut) return body;
    sink.copy(view, settled, body.length - settled);
    return this.#series === 0 ? undefined : sink.finish();
  }

  /** Which part of a TimeSeries is taken: all, a new one with some of its samples, or nothing. */
  #judge(received: SeriesBytes): SeriesBytes | typeof WHOLE | undefined {
    // All that follows counts as refused for the same reason.
    if (this.#stopped !== undefined) return this.#refuse(this.#stopped);
    const budget = this.#budget;
    try {
      budget.spend();
      const series = received.checked(budget);
      const { tail, points } = series;
      const { oldest, newest } = this.#window;
      const isWithin = tail.oldestMs >= oldest && tail.newestMs <= newest;
      const isTaken =
        (isWithin || (tail.newestMs >= oldest && tail.oldestMs <= newest)) &&
        this.#choice.takes(series, budget);
      if (isTaken && isWithin) {
        this.#samples += points;
        return WHOLE;
      }
      const part = isTaken ? splitByTime(series, this.#window, budget).taken : undefined;
      const kept = part?.checked().points ?? 0;
      this.#samples += kept;
      this.#leftOut += points - kept;
      return part;
    } catch (error) {
      if (!(error instanceof PoisonError)) throw error;
      this.#stopped = error === budget.exceeded ? error : budget.countFault();
      return this.#refuse(error);
    }
  }

  #refuse({ reason }: { readonly reason: string }): undefined {
    this.#refused ??= new Map();
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
  }

  #headers({ headers }: FetchedRecord): FetchedRecord['headers'] {
    const kept: Record<string, Buffer | string | null | undefined> = { ...WRITE_REQUEST_HEADERS };
    for (const name in headers) if (this.#tenantHeaders.has(name.toLowerCase())) kept[name] = headers[name];
    return kept;
  }
}

/** Before the first record. */
const NO_BUDGET = new RecordBudget({ series_per_record: 0, faults_per_record: 0, record_time: 0 }, 0);
