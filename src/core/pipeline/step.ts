import type { Decoded, IngestLimits } from '../decode/decoder.ts';
import { RecordBudget } from '../decode/record-budget.ts';
import type { DecoderRegistry } from '../decode/registry.ts';
import { PoisonError, RecordDefect, RetryableError } from '../model/errors.ts';
import type { SourceRecord, TaskRecord } from '../model/records.ts';
import { isRecordTime } from '../record/record-time.ts';
import { release, viewOf } from '../wire/bytes.ts';
import { labelBlockEnd } from '../wire/label-block.ts';
import { labelsFirst } from '../wire/labels-first.ts';
import { ProtobufReader } from '../wire/protobuf-reader.ts';
import { readTail, SeriesTail } from '../wire/series-tail.ts';
import { SeriesBytes } from '../wire/series-walk.ts';
import { TAG_FIELD_1 } from '../wire/write-request.ts';
import { type DeadLetter, DeadLetters } from './dead-letter.ts';
import { openRecord } from './open-record.ts';
import { appendInParts } from './oversized-series.ts';
import { ANY_TIME, overlap, splitByTime, storedWindow, type TimeWindow, timeWindow } from './sample-age.ts';
import type { SeriesCache } from './series-cache.ts';
import { DROPPED, ENTRY, padded, ROUTE } from './series-entry.ts';
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

/** Positions of the parts of one output series, as `TaskOutput.append` takes them. */
interface SeriesParts {
  readonly body: Buffer;
  readonly start: number;
  readonly labelsEnd: number;
  readonly end: number;
  readonly prefix: number;
  readonly entry: DataView;
  readonly middleAt: number;
  readonly middle: number;
  readonly rest: number;
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
  readonly #tail = new SeriesTail();
  readonly #look = () => this.#budget.spend(LOOK_UNITS);
  /** Slot of the series before this one. */
  #previous = -1;
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

  /**
   * Every TimeSeries of a WriteRequest whose framing has been checked. Fast path: a series is passed on as numbers and
   * views. As an object that moves from one to the next (`SeriesWalk`, the plain twin) it took a seventh more time.
   */
  #walk(body: Buffer): void {
    const view = viewOf(body);
    const reader = new ProtobufReader(body);
    let position = 0;
    let look = LOOK_BYTES;
    while (position < body.length && this.#stopped === undefined) {
      const field = position;
      let start = position + 1;
      try {
        if (body[position] === TAG_FIELD_1) {
          let byte = body[start++]!;
          let length = byte & 0x7f;
          for (let shift = 7; byte >= 0x80; shift += 7) {
            byte = body[start++]!;
            length |= (byte & 0x7f) << shift;
          }
          position = start + length;
        } else {
          reader.position = position;
          reader.next();
          reader.skip();
          position = reader.position;
          this.#budget.spend();
          if (reader.field !== 1) continue;
          reader.position = reader.fieldStart;
          reader.next();
          start = reader.block();
        }
        if (position > look) {
          look = position + LOOK_BYTES;
          this.#budget.spend(LOOK_UNITS);
        }
        this.#series(body, view, start, position);
      } catch (error) {
        if (!(error instanceof PoisonError)) throw error;
        if (error === this.#budget.exceeded) {
          this.#stopped = error;
          position = field;
        } else this.#setAside(error, body.subarray(start, position));
      }
    }
    if (position < body.length) this.#setRestAside(this.#stopped!, body, position);
  }

  /** Sends the TimeSeries in `[start, end)`. Throws PoisonError, with nothing sent on, if it cannot be used. */
  #series(body: Buffer, view: DataView, start: number, end: number): void {
    const cache = this.#cache;
    const tail = this.#tail;
    const predicted = cache.next(this.#previous, view, start, end);
    const labelsEnd = predicted
      ? start + cache.words[cache.word + ENTRY.rawLength]!
      : labelBlockEnd(body, start, end);
    readTail(body, labelsEnd, end, tail, this.#budget);
    if (tail.hasLabels) {
      const moved = labelsFirst(body, start, end);
      this.#series(moved.bytes, viewOf(moved.bytes), 0, moved.bytes.length);
      return;
    }
    if (tail.oldestMs < this.#usual.oldest || tail.newestMs > this.#usual.newest) {
      if (tail.oldestMs < this.#window.oldest || tail.newestMs > this.#window.newest) {
        this.#splitByTime(body, view, start, end);
        return;
      }
      this.#countUnstorable(body, view, start, end);
    }
    if (!predicted && !cache.find(this.#previous, view, start, labelsEnd)) {
      const router = this.#router;
      this.#budget.spend(router.cost(labelsEnd - start));
      cache.insert(this.#previous, router.route(body, view, start, labelsEnd, this.#look));
    }
    this.#previous = cache.slot;
    this.#send(body, view, start, labelsEnd, end);
  }

  /** Sends the samples within the time limits, then sets the others aside. */
  #splitByTime(body: Buffer, view: DataView, start: number, end: number): void {
    const { taken, refused } = splitByTime(seriesIn(body, view, start, end), this.#window, this.#budget);
    if (taken !== undefined) this.#series(taken.bytes, taken.view, 0, taken.end);
    for (const { error, kind, series: part, samples } of refused) {
      this.#counts.outOfRange[kind] = (this.#counts.outOfRange[kind] ?? 0) + samples;
      this.#setAside(error, part);
    }
  }

  /** Counts samples that storages usually refuse. They are sent: a storage may be configured to take them. */
  #countUnstorable(body: Buffer, view: DataView, start: number, end: number): void {
    const counts = (this.#counts.unstorable ??= {});
    const { refused } = splitByTime(seriesIn(body, view, start, end), this.#stored, this.#budget);
    for (const { kind, samples } of refused) {
      const when = kind === 'too_old' ? 'past' : 'future';
      counts[when] = (counts[when] ?? 0) + samples;
    }
  }

  /** Appends the series to the outputs that the cache's current entry names, and counts it. */
  #send(body: Buffer, view: DataView, start: number, labelsEnd: number, end: number): void {
    const { words, view: entry, word } = this.#cache;
    const counts = this.#counts;
    const tail = this.#tail;
    const samples = tail.samples + tail.histograms;
    const rawLength = labelsEnd - start;
    const routes = words[word + ENTRY.routes]!;
    let at = word + ENTRY.words + (padded(rawLength) >> 2);
    for (let i = 0; i < routes; i++) {
      const index = words[at + ROUTE.index]!;
      const task = words[at + ROUTE.task]!;
      const prefix = words[at + ROUTE.prefix]!;
      const middle = words[at + ROUTE.middle]!;
      const rest = start + words[at + ROUTE.suffix]!;
      const middleAt = (at + ROUTE.words) * 4;
      const route = counts.routes[index]!;
      if (task === DROPPED) {
        route.droppedSeries++;
        route.droppedSamples += samples;
      } else {
        const output = this.#outputs.of(index, task);
        const time = this.#timestamp;
        let sent = samples;
        if (!output.append(view, start, prefix, entry, middleAt, middle, rest, end, samples, time)) {
          sent = this.#sendInParts(output, {
            body,
            start,
            labelsEnd,
            end,
            prefix,
            entry,
            middleAt,
            middle,
            rest,
          });
        }
        if (sent >= 0) {
          route.series++;
          route.samples += sent;
        }
      }
      at += ROUTE.words + (padded(middle) >> 2);
    }
    counts.series++;
    counts.samples += samples;
    counts.histograms += tail.histograms;
    counts.exemplars += tail.exemplars;
    if (routes === 0) {
      counts.unroutedSeries++;
      counts.unroutedSamples += samples;
    }
    if (tail.oldestMs < counts.oldestSampleMs) counts.oldestSampleMs = tail.oldestMs;
    if (tail.newestMs > counts.newestSampleMs) counts.newestSampleMs = tail.newestMs;
  }

  /**
   * Sends a series too large for one record in parts. Not inside `#send`: for a closure there V8 would allocate an
   * object for its variables with every series.
   */
  #sendInParts(output: TaskOutput, series: SeriesParts): number {
    const { body, start, labelsEnd, end, prefix, entry, middleAt, middle, rest } = series;
    const labelBytes = prefix + middle + labelsEnd - rest;
    return appendInParts(
      seriesIn(body, viewOf(body), start, end),
      { capacity: output.capacity, labelBytes },
      ({ view, end: to, points }) =>
        output.append(view, 0, prefix, entry, middleAt, middle, rest - start, to, points, this.#timestamp),
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

/** The TimeSeries in `[start, end)`, which has been checked, for plain code. */
function seriesIn(body: Buffer, view: DataView, start: number, end: number): SeriesBytes {
  const series = new SeriesBytes(body, view, end);
  series.start = start;
  return series.checked();
}
