import type { Decoded, IngestLimits } from '../decode/decoder.ts';
import { RecordBudget } from '../decode/record-budget.ts';
import type { DecoderRegistry } from '../decode/registry.ts';
import { PoisonError, RecordDefect, RetryableError } from '../model/errors.ts';
import type { SourceRecord, TaskRecord } from '../model/records.ts';
import { isRecordTime } from '../record/record-time.ts';
import { release } from '../wire/bytes.ts';
import { type SeriesBytes, SeriesWalk } from '../wire/series-walk.ts';
import { type DeadLetter, DeadLetters } from './dead-letter.ts';
import { openRecord } from './open-record.ts';
import { appendInParts } from './oversized-series.ts';
import { ANY_TIME, overlap, splitByTime, storedWindow, type TimeWindow, timeWindow } from './sample-age.ts';
import type { SeriesCache } from './series-cache.ts';
import { CachePosition, DROPPED } from './series-entry.ts';
import type { PipelineRoute, SeriesRouter } from './series-router.ts';
import { type StepCounts, zeroCounts } from './step-counts.ts';
import type { TaskOutput } from './task-output.ts';
import type { TaskOutputs } from './task-outputs.ts';

/** Output of a step. */
export interface StepOutput {
  readonly records: TaskRecord[];
  readonly dead: DeadLetter[];
  readonly counts: StepCounts;
}

/** Size of a step: what publishing it takes in memory, and in one transaction. */
export interface StepLoad {
  /** Bytes of the records when decompressed and decoded. */
  readonly decodedBytes: number;
  /** Outputs that hold a buffer: one per route, task and tenant. */
  readonly outputs: number;
  /** Memory of outputs and task records, their headers included. */
  readonly outputBytes: number;
  /** Records that will be published, dead letters included. */
  readonly records: number;
  readonly deadLetters: number;
  readonly deadBytes: number;
}

/**
 * Bytes of known series between two readings of the clock: some 2,000 series, 0.2 ms, so that the reading costs
 * nothing. New series are charged to the budget one by one.
 */
const LOOK_BYTES = 512 * 1024;
/** Units charged then: so many that the budget reads the clock (record-budget.ts). */
const LOOK_UNITS = 256;

/** Routes and all that depends on them: replaced as a whole by a reload, between two steps. */
export interface Generation {
  readonly routes: readonly PipelineRoute[];
  readonly cache: SeriesCache;
  readonly router: SeriesRouter;
}

export interface StepTools {
  readonly outputs: TaskOutputs;
  readonly decoders: () => DecoderRegistry;
  readonly limits: IngestLimits;
  readonly now: () => number;
}

/** Records of one partition in, task records and dead letters out, once. Made by `Pipeline.begin`. */
export class Step {
  readonly #cache: SeriesCache;
  readonly #router: SeriesRouter;
  readonly #outputs: TaskOutputs;
  readonly #decoders: () => DecoderRegistry;
  readonly #limits: IngestLimits;
  readonly #clock: () => number;
  readonly #counts: StepCounts;
  readonly #dead = new DeadLetters();
  /** The entry of the series before this one, then that of this one. */
  readonly #position = new CachePosition();
  #isFinished = false;

  #timestamp = 0;
  /** Samples outside of it are set aside. */
  #window: TimeWindow = ANY_TIME;
  /** Samples taken, but outside of this window, are counted as unstorable. */
  #stored: TimeWindow = ANY_TIME;
  /** Overlap of the two windows: nearly every sample is in it. */
  #usual: TimeWindow = ANY_TIME;
  #budget: RecordBudget = NO_BUDGET;
  /** Error that ends the walk over the record early. */
  #stopped: PoisonError | undefined;

  constructor({ routes, cache, router }: Generation, { outputs, decoders, limits, now }: StepTools) {
    this.#cache = cache;
    this.#router = router;
    this.#outputs = outputs;
    this.#decoders = decoders;
    this.#limits = limits;
    this.#clock = now;
    this.#counts = zeroCounts(routes.length);
  }

  /** Size of the output so far. */
  get load(): StepLoad {
    const { open, sealed, bytes } = this.#outputs.load;
    const deadLetters = this.#dead.letters.length;
    return {
      decodedBytes: this.#counts.decodedBytes,
      outputs: open,
      outputBytes: bytes,
      records: open + sealed + deadLetters,
      deadLetters,
      deadBytes: this.#dead.bytes,
    };
  }

  /**
   * Processes one record. Bad input never throws: it becomes a dead letter, the whole record if its outer framing is
   * broken (nothing of it is sent on then), else the series at fault alone.
   *
   * @throws RetryableError if the record's schema has not been fetched; RecordDefect for an unexpected error: after one
   *   during the walk the step must not be used any more (careful-step.ts)
   */
  process(record: SourceRecord): void {
    if (this.#isFinished) throw new Error('a step is used once');
    const now = this.#clock();
    const hasTime = isRecordTime(record.timestamp);
    this.#timestamp = hasTime ? record.timestamp : now;
    this.#stopped = undefined;
    this.#window = timeWindow(this.#limits, now);
    this.#stored = storedWindow(now);
    this.#usual = overlap(this.#window, this.#stored);
    let during: RecordDefect['during'] = 'decode';
    try {
      this.#outputs.tenant(record.headers);
      this.#dead.begin(record, this.#outputs.tenantHeaders);
      const { body, passedThrough } = this.#decode(record);
      during = 'walk';
      this.#walk(body);
      if (passedThrough && body.buffer !== record.value?.buffer) release(body);
    } catch (error) {
      if (error instanceof RetryableError) throw error;
      if (!(error instanceof PoisonError)) throw new RecordDefect(during, error);
      this.#setRecordAside(record, error);
    }
    const counts = this.#counts;
    counts.records++;
    if (!hasTime) counts.withoutTime = (counts.withoutTime ?? 0) + 1;
    counts.bytes += record.value?.length ?? 0;
    this.#dead.end();
  }

  /** Makes one record a dead letter without reading it. */
  setAside(record: SourceRecord, error: PoisonError): void {
    this.#counts.records++;
    this.#counts.bytes += record.value?.length ?? 0;
    this.#setRecordAside(record, error);
  }

  #setRecordAside(record: SourceRecord, error: PoisonError): void {
    this.#counts.deadRecords++;
    this.#dead.whole(record, error);
  }

  /** Hands over the output. The step is used up then. */
  finish(): StepOutput {
    this.#isFinished = true;
    const counts = this.#counts;
    for (const [index, { series, without }] of this.#router.takeNew().entries()) {
      const route = counts.routes[index]!;
      route.newSeries = series;
      route.newWithoutLabel = without;
    }
    const unrouted = this.#router.takeUnrouted();
    if (unrouted !== undefined) counts.unroutedExample = unrouted;
    return { records: this.#outputs.finish(), dead: this.#dead.letters, counts };
  }

  /** Decodes the record into a WriteRequest with sound outer framing, and counts what it leaves out. */
  #decode(record: SourceRecord): Decoded {
    const { decoded, framing, budget } = openRecord(record, this.#decoders(), this.#limits, this.#clock);
    this.#budget = budget;
    const { body, rejects, uncarried = {} } = decoded;
    const counts = this.#counts;
    counts.decodedBytes += body.length;
    counts.metadata += framing.metadata;
    counts.unknownFields += framing.unknown;
    for (const [kind, count] of Object.entries(uncarried))
      counts.uncarried[kind] = (counts.uncarried[kind] ?? 0) + count;
    this.#dead.parts(rejects);
    return decoded;
  }

  /** Every TimeSeries of a WriteRequest whose framing has been checked. */
  #walk(body: Buffer): void {
    const walk = new SeriesWalk(body, this.#budget);
    const { series } = walk;
    let look = LOOK_BYTES;
    let isCut = false;
    while (this.#stopped === undefined) {
      try {
        if (!walk.next()) return;
        if (walk.position > look) {
          look = walk.position + LOOK_BYTES;
          this.#budget.spend(LOOK_UNITS);
        }
        this.#series(series, this.#cache.next(this.#position, series));
      } catch (error) {
        if (!(error instanceof PoisonError)) throw error;
        isCut = error === this.#budget.exceeded;
        if (isCut) this.#stopped = error;
        else this.#setAside(error, series.whole);
      }
    }
    this.#setRestAside(this.#stopped, body, isCut ? walk.fieldStart : walk.position);
  }

  /**
   * Sends a TimeSeries. Throws PoisonError, with nothing sent on, if it cannot be used.
   *
   * @param isKnown the position is at its entry
   */
  #series(received: SeriesBytes, isKnown: boolean): void {
    const cache = this.#cache;
    const position = this.#position;
    const series = received.checked(this.#budget, isKnown ? position.rawLength : -1);
    if (series !== received) {
      this.#series(series, cache.next(position, series));
      return;
    }
    const { oldestMs, newestMs } = series.tail;
    if (oldestMs < this.#usual.oldest || newestMs > this.#usual.newest) {
      if (oldestMs < this.#window.oldest || newestMs > this.#window.newest) {
        this.#splitByTime(series, isKnown);
        return;
      }
      this.#countUnstorable(series);
    }
    if (!isKnown) cache.find(position, series, this.#route);
    this.#send(series);
  }

  /** The entry of a new series. One closure a step, not one a series. */
  readonly #route = (series: SeriesBytes) => {
    this.#budget.spend(this.#router.cost(series.labelsEnd - series.start));
    return this.#router.route(series, this.#look);
  };
  readonly #look = () => this.#budget.spend(LOOK_UNITS);

  /** Sends the samples within the time limits, then sets the others aside. */
  #splitByTime(series: SeriesBytes, isKnown: boolean): void {
    const { taken, refused } = splitByTime(series, this.#window, this.#budget);
    if (taken !== undefined) this.#series(taken, isKnown);
    for (const { error, kind, series: part, samples } of refused) {
      this.#counts.outOfRange[kind] = (this.#counts.outOfRange[kind] ?? 0) + samples;
      this.#setAside(error, part);
    }
  }

  /** Counts samples that storages usually refuse. They are sent: a storage may be configured to take them. */
  #countUnstorable(series: SeriesBytes): void {
    const counts = (this.#counts.unstorable ??= {});
    const { refused } = splitByTime(series, this.#stored, this.#budget);
    for (const { kind, samples } of refused) {
      const when = kind === 'too_old' ? 'past' : 'future';
      counts[when] = (counts[when] ?? 0) + samples;
    }
  }

  /** Appends the series to the outputs that its entry names, and counts it. */
  #send(series: SeriesBytes): void {
    const position = this.#position;
    const counts = this.#counts;
    const { tail, points } = series;
    position.rewind();
    while (position.nextRoute()) {
      const route = counts.routes[position.route]!;
      if (position.task === DROPPED) {
        route.droppedSeries++;
        route.droppedSamples += points;
        continue;
      }
      const output = this.#outputs.of(position.route, position.task);
      let sent = points;
      if (!output.append(series, position, this.#timestamp)) sent = this.#sendInParts(output, series);
      if (sent >= 0) {
        route.series++;
        route.samples += sent;
      }
    }
    counts.series++;
    counts.samples += points;
    counts.histograms += tail.histograms;
    counts.exemplars += tail.exemplars;
    if (position.routes === 0) {
      counts.unroutedSeries++;
      counts.unroutedSamples += points;
    }
    if (tail.oldestMs < counts.oldestSampleMs) counts.oldestSampleMs = tail.oldestMs;
    if (tail.newestMs > counts.newestSampleMs) counts.newestSampleMs = tail.newestMs;
  }

  /**
   * Sends a series too large for one record in parts. Not inside `#send`: for a closure there V8 would allocate an
   * object for its variables with every series.
   */
  #sendInParts(output: TaskOutput, series: SeriesBytes): number {
    const position = this.#position;
    const { prefix, middle, suffix } = position;
    const labelBytes = prefix + middle + position.rawLength - suffix;
    return appendInParts(
      series,
      { capacity: output.capacity, labelBytes },
      (part) => output.append(part, position, this.#timestamp),
      (error, part) => this.#setAside(error, part),
    );
  }

  #setAside(error: PoisonError, timeSeries: Uint8Array): void {
    this.#counts.deadSeries++;
    this.#stopped ??= this.#budget.countFault();
    this.#dead.series(error, timeSeries);
  }

  /** Sets the series from `from` on aside. Those before were sent or set aside: nothing is lost or duplicated. */
  #setRestAside(error: PoisonError, body: Buffer, from: number): void {
    if (from < body.length) this.#counts.deadSeries += this.#dead.rest(error, body, from);
  }
}

/** Before the first record. */
const NO_BUDGET = new RecordBudget({ series_per_record: 0, faults_per_record: 0, record_time: 0 }, 0);
