import { PoisonError } from '../model/errors.ts';
import { ProtobufReader } from '../wire/protobuf-reader.ts';
import { readTail, SeriesTail } from '../wire/series-tail.ts';
import { SeriesBytes } from '../wire/series-walk.ts';
import type { FieldBudget } from '../wire/write-request.ts';

/** The limits of `worker.limits` on a sample's time, in ms; 0 or absent: none. */
export interface AgeLimits {
  readonly max_age?: number;
  readonly max_future?: number;
}

/** Oldest and newest sample time that is taken, in ms since the epoch. Infinite where there is no limit. */
export interface TimeWindow {
  readonly oldest: number;
  readonly newest: number;
}

export const ANY_TIME: TimeWindow = {
  oldest: Number.NEGATIVE_INFINITY,
  newest: Number.POSITIVE_INFINITY,
};

/** The window at `nowMs`; `ANY_TIME` itself if there is no limit. */
export function timeWindow({ max_age = 0, max_future = 0 }: AgeLimits, nowMs: number): TimeWindow {
  if (max_age === 0 && max_future === 0) return ANY_TIME;
  return {
    oldest: max_age === 0 ? ANY_TIME.oldest : nowMs - max_age,
    newest: max_future === 0 ? ANY_TIME.newest : nowMs + max_future,
  };
}

/** Earlier times are seconds mistaken for milliseconds, or unset: no storage keeps samples for that long. */
const EARLIEST_STORED_MS = Date.UTC(1971, 0);
/** VictoriaMetrics drops samples more than two days ahead. */
const STORED_AHEAD_MS = 2 * 86_400_000;

/** Sample times that storages usually take. */
export function storedWindow(nowMs: number): TimeWindow {
  return { oldest: EARLIEST_STORED_MS, newest: nowMs + STORED_AHEAD_MS };
}

/** Intersection of two windows. */
export function overlap(a: TimeWindow, b: TimeWindow): TimeWindow {
  return { oldest: Math.max(a.oldest, b.oldest), newest: Math.min(a.newest, b.newest) };
}

/** Samples of a series that are refused for the same reason. */
export interface RefusedPart {
  readonly error: PoisonError;
  readonly kind: 'too_old' | 'in_future';
  readonly series: Buffer;
  /** Samples and histograms. */
  readonly samples: number;
}

/** A TimeSeries split by the time of its samples. */
export interface PartsByTime {
  /** The series with the samples that are taken; undefined if there are none. */
  readonly taken: SeriesBytes | undefined;
  readonly refused: readonly RefusedPart[];
}

const TAKEN = 0;
const OLD = 1;
const EARLY = 2;
/** A field that has no time, such as an exemplar. */
const OTHER = 3;

/**
 * Splits the samples and histograms outside of a window off a series whose fields have been checked. Each part has all
 * labels; fields without a time go with the first part. Plain code: it runs only for series over a limit.
 *
 * A series may have millions of fields, so no state is kept per field: the parts take no more memory than the series
 * and two more copies of its labels. The first walk measures the parts, the second fills them.
 *
 * @throws PoisonError when `budget` is used up
 */
export function splitByTime(series: SeriesBytes, window: TimeWindow, budget?: FieldBudget): PartsByTime {
  const { bytes: body, start, labelsEnd, end } = series;
  const fields = new TimedFields(body, labelsEnd, end, window);
  const bytes = [0, 0, 0, 0];
  const counts = [0, 0, 0, 0];
  const firstMs = [0, 0, 0, 0];
  while (fields.next()) {
    budget?.spend();
    const { kind } = fields;
    if (counts[kind] === 0) firstMs[kind] = fields.timeMs;
    counts[kind]! += 1;
    bytes[kind]! += fields.end - fields.start;
  }
  const first = [TAKEN, OLD, EARLY].find((kind) => counts[kind]! > 0) ?? TAKEN;
  bytes[first]! += bytes[OTHER]!;
  const labelBytes = labelsEnd - start;
  const parts = [TAKEN, OLD, EARLY].map((kind) =>
    counts[kind] === 0 ? undefined : Buffer.allocUnsafeSlow(labelBytes + bytes[kind]!),
  );
  for (const part of parts) if (part !== undefined) body.copy(part, 0, start, labelsEnd);
  const ends = [labelBytes, labelBytes, labelBytes];
  fields.rewind();
  while (fields.next()) {
    budget?.spend();
    const to = fields.kind === OTHER ? first : fields.kind;
    const part = parts[to];
    if (part !== undefined) ends[to]! += body.copy(part, ends[to], fields.start, fields.end);
  }
  const [taken, old, early] = parts;
  const refused: RefusedPart[] = [];
  if (old !== undefined) {
    const error = tooOld(firstMs[OLD]!, window);
    refused.push({ error, kind: 'too_old', series: old, samples: counts[OLD]! });
  }
  if (early !== undefined) {
    const error = inFuture(firstMs[EARLY]!, window);
    refused.push({ error, kind: 'in_future', series: early, samples: counts[EARLY]! });
  }
  return { taken: taken && new SeriesBytes(taken), refused };
}

/** Iterates over the fields of a series after its labels, and classifies each by its time. */
class TimedFields {
  kind = OTHER;
  timeMs = 0;
  start = 0;
  readonly #body: Buffer;
  readonly #window: TimeWindow;
  readonly #first: number;
  readonly #fields: ProtobufReader;
  readonly #tail = new SeriesTail();

  constructor(body: Buffer, first: number, end: number, window: TimeWindow) {
    this.#body = body;
    this.#window = window;
    this.#first = first;
    this.#fields = new ProtobufReader(body, first, end);
  }

  get end(): number {
    return this.#fields.position;
  }

  rewind(): void {
    this.#fields.position = this.#first;
  }

  next(): boolean {
    const fields = this.#fields;
    if (!fields.next()) return false;
    this.start = fields.fieldStart;
    fields.skip();
    const tail = this.#tail;
    readTail(this.#body, this.start, fields.position, tail);
    this.timeMs = tail.oldestMs;
    if (tail.samples + tail.histograms === 0) this.kind = OTHER;
    else if (this.timeMs < this.#window.oldest) this.kind = OLD;
    else this.kind = this.timeMs > this.#window.newest ? EARLY : TAKEN;
    return true;
  }
}

function tooOld(timeMs: number, { oldest }: TimeWindow): PoisonError {
  const message = `a sample of ${timeText(timeMs)} is too old; those since ${timeText(oldest)} are taken (worker.limits.max_age)`;
  return new PoisonError('decode', 'sample_too_old', message);
}

function inFuture(timeMs: number, { newest }: TimeWindow): PoisonError {
  const message = `a sample of ${timeText(timeMs)} is too far in the future; those until ${timeText(newest)} are taken (worker.limits.max_future)`;
  return new PoisonError('decode', 'sample_in_future', message);
}

/** RFC 3339, or the number if it is out of Date's range. */
function timeText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}
