import { type DeadLetter, DeadSeries, deadPart, deadRecord, type SourceRecord } from './dead-letter.ts';
import { DEFAULT_LIMITS, type Decoded, type IngestLimits } from './decode/decoder.ts';
import { DecoderRegistry } from './decode/registry.ts';
import { PoisonError } from './model/errors.ts';
import { openRecord } from './open-record.ts';
import { type AppendPart, appendInParts } from './oversized-series.ts';
import { ANY_TIME, splitByTime, type TimeWindow, timeWindow } from './sample-age.ts';
import { SeriesCache, type SeriesCacheStats } from './series-cache.ts';
import { DROPPED, ENTRY, EntryBuilder, padded, ROUTE } from './series-entry.ts';
import { type PipelineRoute, SeriesRouter } from './series-router.ts';
import { type StepCounts, zeroCounts } from './step-counts.ts';
import { BufferPool, outputCapacity, type TaskOutput, type TaskRecord } from './task-output.ts';
import { TaskOutputs } from './task-outputs.ts';
import { release, viewOf } from './wire/bytes.ts';
import { labelBlockEnd } from './wire/label-block.ts';
import { labelsFirst } from './wire/labels-first.ts';
import { ProtobufReader } from './wire/protobuf-reader.ts';
import { scanTail } from './wire/scan-tail.ts';
import { readTail, SeriesTail, TAG_FIELD_1 } from './wire/write-request.ts';

export type { DeadLetter, SourceRecord } from './dead-letter.ts';
export type { PipelineRoute } from './series-router.ts';
export type { RouteCounts, StepCounts } from './step-counts.ts';
export type { TaskRecord, Tenant } from './task-output.ts';

/** How a pipeline is made. */
export interface PipelineOptions {
  /** In order of their `index`, from 0. */
  readonly routes: readonly PipelineRoute[];
  /** Memory for the series cache. */
  readonly cacheBytes: number;
  /** Most bytes of a task record's value, by its topic. Leave room below `max.message.bytes` for headers and framing. */
  readonly maxRecordBytes: (topic: string) => number;
  readonly limits?: IngestLimits;
  /** Names of the headers that tell tenants apart. */
  readonly tenantHeaders?: readonly string[];
  /** The decoders of a topic's records. Default: all of them, `auto`, for every topic. */
  readonly decoders?: (topic: string) => DecoderRegistry;
  /** The time that samples' ages count from, in ms since the epoch. */
  readonly now?: () => number;
  /** Size of the cache's slabs, and start of its hash: a test's concern. */
  readonly slabBytes?: number;
  readonly hashSeed?: number;
}

/** What came out of a step. */
export interface StepOutput {
  readonly records: TaskRecord[];
  readonly dead: DeadLetter[];
  readonly counts: StepCounts;
}

/** Bytes of output buffers kept while no step uses them: as many as a step has bytes at most, after decompression. */
const POOL_BYTES = 64 * 1024 * 1024;

/** Routes and all that depends on them: replaced as a whole by a reload. */
interface Generation {
  readonly routes: readonly PipelineRoute[];
  readonly cache: SeriesCache;
  readonly router: SeriesRouter;
  /** Where the cold path builds what the cache takes over. */
  readonly entry: EntryBuilder;
}

/**
 * decode ▸ route ▸ relabel ▸ hash 1 ▸ encode, synchronous and without I/O.
 *
 * One pipeline serves a process. Each input partition has a `Step` of its own, since their outputs and offsets must
 * not mix; what is known about series is shared.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #pool = new BufferPool(POOL_BYTES);
  readonly #decoders: (topic: string) => DecoderRegistry;
  #generation: Generation;

  constructor(options: PipelineOptions) {
    this.#options = options;
    const registry = options.decoders === undefined ? new DecoderRegistry() : undefined;
    this.#decoders = options.decoders ?? (() => registry!);
    this.#generation = this.#compile(options.routes);
  }

  /** A step: an accumulation of records of one partition of `topic`. It may be flushed and used again any number of times. */
  begin(topic = ''): Step {
    const { limits = DEFAULT_LIMITS, tenantHeaders = [], maxRecordBytes, now = Date.now } = this.#options;
    const outputs = (routes: readonly PipelineRoute[]) =>
      new TaskOutputs(routes, tenantHeaders, (topic) => outputCapacity(maxRecordBytes(topic)), this.#pool);
    return new Step(() => this.#generation, outputs, this.#decoders(topic), limits, now);
  }

  /** A reload. What a step holds already keeps the routes it was made with; its next flush takes up the new ones. */
  replaceRoutes(routes: readonly PipelineRoute[]): void {
    this.#generation = this.#compile(routes);
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

/** Where the parts of one output series are: see `TaskOutput.append`. */
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
  readonly #decoders: DecoderRegistry;
  readonly #limits: IngestLimits;
  readonly #now: (() => number) | undefined;
  readonly #tail = new SeriesTail();
  readonly #deadSeries = new DeadSeries();

  #generation: Generation;
  #cache: SeriesCache;
  #outputs: TaskOutputs;
  #counts: StepCounts;
  #dead: DeadLetter[] = [];
  /** Slot of the series before this one. */
  #previous = -1;
  #timestamp = 0;
  /** Samples outside of it are set aside. */
  #window: TimeWindow = ANY_TIME;
  #record: SourceRecord | undefined;

  constructor(
    current: () => Generation,
    makeOutputs: (routes: readonly PipelineRoute[]) => TaskOutputs,
    decoders: DecoderRegistry,
    limits: IngestLimits,
    now: () => number,
  ) {
    this.#current = current;
    this.#makeOutputs = makeOutputs;
    this.#decoders = decoders;
    this.#limits = limits;
    this.#now = timeWindow(limits, 0) === ANY_TIME ? undefined : now;
    this.#generation = current();
    this.#cache = this.#generation.cache;
    this.#outputs = makeOutputs(this.#generation.routes);
    this.#counts = zeroCounts(this.#generation.routes.length);
  }

  /** Bytes taken in since the last flush, after decompression. */
  get decodedBytes(): number {
    return this.#counts.decodedBytes;
  }

  /**
   * Takes one record. Bad input never throws: it becomes a dead letter, the whole record where its outer framing is
   * broken (nothing of it is sent on then), else the series at fault alone.
   */
  process(record: SourceRecord): void {
    const counts = this.#counts;
    this.#record = record;
    this.#timestamp = record.timestamp;
    if (this.#now !== undefined) this.#window = timeWindow(this.#limits, this.#now());
    this.#outputs.tenant(record.headers);
    counts.records++;
    counts.bytes += record.value?.length ?? 0;
    try {
      const { body, passedThrough } = this.#decode(record);
      this.#walk(body);
      if (passedThrough && body.buffer !== record.value?.buffer) release(body);
    } catch (error) {
      if (!(error instanceof PoisonError)) throw error;
      counts.deadRecords++;
      this.#dead.push(deadRecord(record, error));
    }
    this.#deadSeries.drain(record, this.#outputs.tenantHeaders, this.#dead);
  }

  /** Hands over what came of the records since the last flush. */
  flush(): StepOutput {
    const output = { records: this.#outputs.drain(), dead: this.#dead, counts: this.#counts };
    const generation = this.#current();
    if (generation !== this.#generation) {
      this.#generation = generation;
      this.#cache = generation.cache;
      this.#outputs = this.#makeOutputs(generation.routes);
      this.#previous = -1;
    }
    this.#dead = [];
    this.#counts = zeroCounts(generation.routes.length);
    return output;
  }

  /** The record as a WriteRequest whose outer framing is sound. */
  #decode(record: SourceRecord): Decoded {
    const { decoded, framing } = openRecord(record, this.#decoders, this.#limits);
    const { body, rejects } = decoded;
    const counts = this.#counts;
    counts.decodedBytes += body.length;
    counts.metadata += framing.metadata;
    counts.unknownFields += framing.unknown;
    for (const [kind, count] of Object.entries(decoded.uncarried ?? {})) {
      counts.uncarried[kind] = (counts.uncarried[kind] ?? 0) + count;
    }
    for (const reject of rejects) this.#dead.push(deadPart(record, reject, this.#outputs.tenantHeaders));
    return decoded;
  }

  /** Every TimeSeries of a WriteRequest whose framing has been checked. */
  #walk(body: Buffer): void {
    const view = viewOf(body);
    let position = 0;
    while (position < body.length) {
      let start = position + 1;
      if (body[position] === TAG_FIELD_1) {
        let byte = body[start++]!;
        let length = byte & 0x7f;
        for (let shift = 7; byte >= 0x80; shift += 7) {
          byte = body[start++]!;
          length |= (byte & 0x7f) << shift;
        }
        position = start + length;
      } else {
        const reader = new ProtobufReader(body, position);
        reader.next();
        reader.skip();
        position = reader.position;
        if (reader.field !== 1) continue;
        reader.position = reader.fieldStart;
        reader.next();
        start = reader.block();
      }
      try {
        this.#series(body, view, start, position);
      } catch (error) {
        if (!(error instanceof PoisonError)) throw error;
        this.#setAside(error, body.subarray(start, position));
      }
    }
  }

  /** One TimeSeries in `[start, end)`. Throws PoisonError, with nothing sent on, where it cannot be used. */
  #series(body: Buffer, view: DataView, start: number, end: number): void {
    const cache = this.#cache;
    const tail = this.#tail;
    const predicted = cache.next(this.#previous, view, start, end);
    const labelsEnd = predicted
      ? start + cache.words[cache.word + ENTRY.rawLength]!
      : labelBlockEnd(body, start, end);
    if (!scanTail(body, labelsEnd, end, tail)) readTail(body, labelsEnd, end, tail);
    if (tail.hasLabels) {
      const moved = labelsFirst(body, start, end);
      this.#series(moved.bytes, viewOf(moved.bytes), 0, moved.bytes.length);
      return;
    }
    if (tail.oldestMs < this.#window.oldest || tail.newestMs > this.#window.newest) {
      this.#splitByTime(body, start, labelsEnd, end);
      return;
    }
    if (!predicted && !cache.find(this.#previous, view, start, labelsEnd)) {
      const { router, entry } = this.#generation;
      router.route(body, view, start, labelsEnd, entry);
      cache.insert(this.#previous, entry);
    }
    this.#previous = cache.slot;
    this.#send(body, view, start, labelsEnd, end);
  }

  /** Goes on with the samples within the time limits, then sets the others aside. */
  #splitByTime(body: Buffer, start: number, labelsEnd: number, end: number): void {
    const { taken, refused } = splitByTime(body, start, labelsEnd, end, this.#window);
    if (taken !== undefined) this.#series(taken, viewOf(taken), 0, taken.length);
    for (const { error, series } of refused) this.#setAside(error, series);
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
   * A series that is more than a record takes. Apart from `#send`, since a closure there would have V8 make an object
   * of its variables for every series that passes.
   */
  #sendInParts(output: TaskOutput, series: SeriesParts): number {
    const { body, start, labelsEnd, end, prefix, entry, middleAt, middle, rest } = series;
    const appendPart: AppendPart = (bytes, to, count) =>
      output.append(bytes, 0, prefix, entry, middleAt, middle, rest - start, to, count, this.#timestamp);
    const room = output.capacity - (prefix + middle + labelsEnd - rest);
    return appendInParts(body, start, labelsEnd, end, room, appendPart, (error, part) =>
      this.#setAside(error, part),
    );
  }

  #setAside(error: PoisonError, timeSeries: Uint8Array): void {
    this.#counts.deadSeries++;
    this.#deadSeries.add(error, timeSeries, this.#record!, this.#outputs.tenantHeaders, this.#dead);
  }
}
