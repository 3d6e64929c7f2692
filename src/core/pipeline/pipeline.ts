import { DEFAULT_LIMITS, type Decoded, type IngestLimits } from '../decode/decoder.ts';
import { RecordBudget } from '../decode/record-budget.ts';
import { createDecoders, DecoderRegistry } from '../decode/registry.ts';
import { PoisonError, RecordDefect, RetryableError } from '../model/errors.ts';
import type { SourceRecord, TaskRecord } from '../model/records.ts';
import { isRecordTime } from '../record/record-time.ts';
import { release, viewOf } from '../wire/bytes.ts';
import { labelBlockEnd } from '../wire/label-block.ts';
import { labelsFirst } from '../wire/labels-first.ts';
import { ProtobufReader } from '../wire/protobuf-reader.ts';
import { scanTail } from '../wire/scan-tail.ts';
import { readTail, SeriesTail, TAG_FIELD_1 } from '../wire/write-request.ts';
import { type DeadLetter, DeadSeries, deadParts, deadRest, deadWhole, weightOf } from './dead-letter.ts';
import { openRecord } from './open-record.ts';
import { type AppendPart, appendInParts } from './oversized-series.ts';
import { ANY_TIME, overlap, splitByTime, storedWindow, type TimeWindow, timeWindow } from './sample-age.ts';
import { SeriesCache, type SeriesCacheStats } from './series-cache.ts';
import { DROPPED, ENTRY, EntryBuilder, padded, ROUTE } from './series-entry.ts';
import { type PipelineRoute, SeriesRouter } from './series-router.ts';
import { type StepCounts, zeroCounts } from './step-counts.ts';
import { BufferPool, outputCapacity, type TaskOutput } from './task-output.ts';
import { TaskOutputs } from './task-outputs.ts';

export type { DeadLetter } from './dead-letter.ts';
export type { PipelineRoute } from './series-router.ts';
export type { RouteCounts, StepCounts } from './step-counts.ts';

export interface PipelineOptions {
  /** In order of their `index`, from 0. */
  readonly routes: readonly PipelineRoute[];
  /** Memory for the series cache. */
  readonly cacheBytes: number;
  /** Most bytes of a task record's value, by topic. Leave room below `max.message.bytes` for headers and framing. */
  readonly maxRecordBytes: (topic: string) => number;
  readonly limits?: IngestLimits;
  /** Names of the headers that tell tenants apart. */
  readonly tenantHeaders?: readonly string[];
  /** The decoders of a topic's records. Default: all of them, `auto`, for every topic. */
  readonly decoders?: (topic: string) => DecoderRegistry;
  /** Recreates the decoders after an unexpected error in one: they keep buffers between records. */
  readonly renewDecoders?: () => void;
  /** The time that samples' ages count from, in ms since the epoch. */
  readonly now?: () => number;
  /** Slab size and hash seed of the cache, for tests. */
  readonly slabBytes?: number;
  readonly hashSeed?: number;
}

/** Options that a reload may change; absent ones stay as they are. */
export interface ReplacedRules
  extends Partial<Pick<PipelineOptions, 'cacheBytes' | 'limits' | 'tenantHeaders'>> {
  readonly routes?: readonly PipelineRoute[] | undefined;
}

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

/** Most bytes of unused output buffers that are kept: the limit of a step's bytes after decompression. */
const POOL_BYTES = 64 * 1024 * 1024;

/** Bytes of the series cache of a scratch pipeline. */
const SCRATCH_BYTES = 256 * 1024;

/** Routes and all that depends on them: replaced as a whole by a reload. */
interface Generation {
  readonly routes: readonly PipelineRoute[];
  readonly cache: SeriesCache;
  readonly router: SeriesRouter;
  /** The cold path builds entries here; the cache copies them. */
  readonly entry: EntryBuilder;
}

/**
 * decode ▸ route ▸ relabel ▸ hash 1 ▸ encode, synchronous and without I/O.
 *
 * One pipeline serves a process. Each input partition has a `Step` of its own, since their outputs and offsets must
 * not mix; what is known about series is shared.
 */
export class Pipeline {
  #options: PipelineOptions;
  readonly #pool = new BufferPool(POOL_BYTES);
  readonly #decoders: (topic: string) => DecoderRegistry;
  #ownDecoders: DecoderRegistry | undefined;
  #generation: Generation;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#decoders = options.decoders ?? (() => (this.#ownDecoders ??= new DecoderRegistry()));
    this.#generation = this.#compile(options.routes);
  }

  /** Begins a step, which accumulates records of one partition of `topic`. It can be used again after `flush`. */
  begin(topic = ''): Step {
    const { limits = DEFAULT_LIMITS, tenantHeaders = [], maxRecordBytes, now = Date.now } = this.#options;
    const outputs = (routes: readonly PipelineRoute[]) =>
      new TaskOutputs(
        routes,
        tenantHeaders,
        (topic) => outputCapacity(maxRecordBytes(topic)),
        this.#pool,
        limits.tenant_bytes,
      );
    return new Step(
      () => this.#generation,
      outputs,
      () => this.#decoders(topic),
      limits,
      now,
    );
  }

  /**
   * Applies a reload. An open step takes up new routes at its next flush; new limits and tenant headers apply to steps
   * begun from now on. The series cache is kept unless routes, limits or its memory change.
   */
  replace({ routes, ...rules }: ReplacedRules): void {
    const { cacheBytes, limits } = this.#options;
    this.#options = { ...this.#options, ...rules };
    const isSame =
      cacheBytes === this.#options.cacheBytes && isSameLimits(limits, this.#options.limits ?? limits);
    if (routes !== undefined || !isSame) this.#generation = this.#compile(routes ?? this.#generation.routes);
  }

  /** Rebuilds decoders, cache and router, whose state is unknown after an unexpected error. Open steps are void. */
  renew(): void {
    this.renewDecoders();
    this.#generation = this.#compile(this.#generation.routes);
  }

  /** Rebuilds the decoders alone. Open steps go on with the new ones. */
  renewDecoders(): void {
    this.#options.renewDecoders?.();
    if (this.#ownDecoders !== undefined) this.#ownDecoders = new DecoderRegistry('auto', createDecoders());
  }

  /** Another pipeline with the same routes and decoders, and a small cache. */
  scratch(): Pipeline {
    const routes = this.#generation.routes;
    const options = { ...this.#options, routes, cacheBytes: SCRATCH_BYTES, slabBytes: SCRATCH_BYTES / 4 };
    return new Pipeline({ ...options, decoders: this.#decoders });
  }

  get cacheStats(): SeriesCacheStats {
    return this.#generation.cache.stats;
  }

  #compile(routes: readonly PipelineRoute[]): Generation {
    routes.forEach((route, index) => {
      if (route.index !== index)
        throw new RangeError(`route ${route.name} has index ${route.index}, not ${index}`);
    });
    const { cacheBytes, limits = DEFAULT_LIMITS, slabBytes, hashSeed } = this.#options;
    const cache = new SeriesCache({
      bytes: cacheBytes,
      ...(slabBytes !== undefined && { slabBytes }),
      seed: hashSeed ?? Math.floor(Math.random() * 2 ** 32),
    });
    return { routes, cache, router: new SeriesRouter(routes, limits), entry: new EntryBuilder() };
  }
}

function isSameLimits(before: IngestLimits = DEFAULT_LIMITS, after: IngestLimits = DEFAULT_LIMITS): boolean {
  const keys = Object.keys(after) as (keyof IngestLimits)[];
  return keys.every((key) => before[key] === after[key]);
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

/** Records in, task records and dead letters out. Made by `Pipeline.begin`. */
export class Step {
  readonly #current: () => Generation;
  readonly #makeOutputs: (routes: readonly PipelineRoute[]) => TaskOutputs;
  readonly #decoders: () => DecoderRegistry;
  readonly #limits: IngestLimits;
  readonly #clock: () => number;
  readonly #tail = new SeriesTail();
  readonly #deadSeries = new DeadSeries();

  #generation: Generation;
  #cache: SeriesCache;
  #outputs: TaskOutputs;
  #counts: StepCounts;
  #dead: DeadLetter[] = [];
  /** Number of dead letters counted in `#deadBytes`. */
  #weighed = 0;
  #deadBytes = 0;
  /** Slot of the series before this one. */
  #previous = -1;
  #timestamp = 0;
  /** Samples outside of it are set aside. */
  #window: TimeWindow = ANY_TIME;
  /** Samples taken, but outside of this window, are counted as unstorable. */
  #stored: TimeWindow = ANY_TIME;
  /** Overlap of the two windows: nearly every sample is in it. */
  #usual: TimeWindow = ANY_TIME;
  #record: SourceRecord | undefined;
  #budget: RecordBudget = NO_BUDGET;
  readonly #look = () => this.#budget.spend(LOOK_UNITS);
  /** Error that ends the walk over the record early. */
  #stopped: PoisonError | undefined;

  constructor(
    current: () => Generation,
    makeOutputs: (routes: readonly PipelineRoute[]) => TaskOutputs,
    decoders: () => DecoderRegistry,
    limits: IngestLimits,
    now: () => number,
  ) {
    this.#current = current;
    this.#makeOutputs = makeOutputs;
    this.#decoders = decoders;
    this.#limits = limits;
    this.#clock = now;
    this.#generation = current();
    this.#cache = this.#generation.cache;
    this.#outputs = makeOutputs(this.#generation.routes);
    this.#counts = zeroCounts(this.#generation.routes.length);
  }

  /** Size of the output since the last flush. */
  get load(): StepLoad {
    for (; this.#weighed < this.#dead.length; this.#weighed++) {
      this.#deadBytes += weightOf(this.#dead[this.#weighed]!);
    }
    const { open, sealed, bytes } = this.#outputs.load;
    const deadLetters = this.#dead.length;
    return {
      decodedBytes: this.#counts.decodedBytes,
      outputs: open,
      outputBytes: bytes,
      records: open + sealed + deadLetters,
      deadLetters,
      deadBytes: this.#deadBytes,
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
    this.#record = record;
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
    this.#deadSeries.drain(record, this.#outputs.tenantHeaders, this.#dead);
  }

  /** Makes one record a dead letter without reading it. */
  setAside(record: SourceRecord, error: PoisonError): void {
    this.#counts.records++;
    this.#counts.bytes += record.value?.length ?? 0;
    this.#setRecordAside(record, error);
  }

  #setRecordAside(record: SourceRecord, error: PoisonError): void {
    this.#counts.deadRecords++;
    this.#dead.push(deadWhole(record, error));
  }

  /** Hands over the output since the last flush. */
  flush(): StepOutput {
    this.#countNew();
    const output = { records: this.#outputs.drain(), dead: this.#dead, counts: this.#counts };
    const generation = this.#current();
    if (generation !== this.#generation) {
      this.#generation = generation;
      this.#cache = generation.cache;
      this.#outputs = this.#makeOutputs(generation.routes);
      this.#previous = -1;
    }
    this.#dead = [];
    this.#weighed = this.#deadBytes = 0;
    this.#counts = zeroCounts(generation.routes.length);
    return output;
  }

  #countNew(): void {
    const { router } = this.#generation;
    for (const [index, { series, without }] of router.takeNew().entries()) {
      const route = this.#counts.routes[index]!;
      route.newSeries = series;
      route.newWithoutLabel = without;
    }
    const unrouted = router.takeUnrouted();
    if (unrouted !== undefined) this.#counts.unroutedExample = unrouted;
  }

  /** Decodes the record into a WriteRequest with sound outer framing, and counts what it leaves out. */
  #decode(record: SourceRecord): Decoded {
    const { decoded, framing, budget } = openRecord(record, this.#decoders(), this.#limits, this.#clock);
    this.#budget = budget;
    const { body, rejects } = decoded;
    const counts = this.#counts;
    counts.decodedBytes += body.length;
    counts.metadata += framing.metadata;
    counts.unknownFields += framing.unknown;
    for (const [kind, count] of Object.entries(decoded.uncarried ?? {})) {
      counts.uncarried[kind] = (counts.uncarried[kind] ?? 0) + count;
    }
    for (const letter of deadParts(record, rejects, this.#outputs.tenantHeaders)) this.#dead.push(letter);
    return decoded;
  }

  /** Every TimeSeries of a WriteRequest whose framing has been checked. */
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
    if (!scanTail(body, labelsEnd, end, tail)) readTail(body, labelsEnd, end, tail, this.#budget);
    if (tail.hasLabels) {
      const moved = labelsFirst(body, start, end);
      this.#series(moved.bytes, viewOf(moved.bytes), 0, moved.bytes.length);
      return;
    }
    if (tail.oldestMs < this.#usual.oldest || tail.newestMs > this.#usual.newest) {
      if (tail.oldestMs < this.#window.oldest || tail.newestMs > this.#window.newest) {
        this.#splitByTime(body, start, labelsEnd, end);
        return;
      }
      this.#countUnstorable(body, start, labelsEnd, end);
    }
    if (!predicted && !cache.find(this.#previous, view, start, labelsEnd)) {
      const { router, entry } = this.#generation;
      this.#budget.spend(router.cost(labelsEnd - start));
      router.route(body, view, start, labelsEnd, entry, this.#look);
      cache.insert(this.#previous, entry);
    }
    this.#previous = cache.slot;
    this.#send(body, view, start, labelsEnd, end);
  }

  /** Sends the samples within the time limits, then sets the others aside. */
  #splitByTime(body: Buffer, start: number, labelsEnd: number, end: number): void {
    const { taken, refused } = splitByTime(body, start, labelsEnd, end, this.#window, this.#budget);
    if (taken !== undefined) this.#series(taken, viewOf(taken), 0, taken.length);
    for (const { error, kind, series, samples } of refused) {
      this.#counts.outOfRange[kind] = (this.#counts.outOfRange[kind] ?? 0) + samples;
      this.#setAside(error, series);
    }
  }

  /** Counts samples that storages usually refuse. They are sent: a storage may be configured to take them. */
  #countUnstorable(body: Buffer, start: number, labelsEnd: number, end: number): void {
    const counts = (this.#counts.unstorable ??= {});
    const { refused } = splitByTime(body, start, labelsEnd, end, this.#stored, this.#budget);
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
    const appendPart: AppendPart = (bytes, to, count) =>
      output.append(bytes, 0, prefix, entry, middleAt, middle, rest - start, to, count, this.#timestamp);
    const repeated = prefix + middle + labelsEnd - rest;
    const room = output.capacity - repeated;
    return appendInParts(body, start, labelsEnd, end, room, repeated, appendPart, (error, part) =>
      this.#setAside(error, part),
    );
  }

  #setAside(error: PoisonError, timeSeries: Uint8Array): void {
    this.#counts.deadSeries++;
    this.#stopped ??= this.#budget.countFault();
    this.#deadSeries.add(error, timeSeries, this.#record!, this.#outputs.tenantHeaders, this.#dead);
  }

  /** Sets the series from `from` on aside. Those before were sent or set aside: nothing is lost or duplicated. */
  #setRestAside(error: PoisonError, body: Buffer, from: number): void {
    const letters = deadRest(this.#record!, error, body, from, this.#outputs.tenantHeaders);
    for (const letter of letters) {
      this.#counts.deadSeries += letter.series;
      this.#dead.push(letter);
    }
  }
}

/** Before the first record. */
const NO_BUDGET = new RecordBudget({ series_per_record: 0, faults_per_record: 0, record_time: 0 }, 0);
