import { PoisonError } from './model/errors.ts';
import { ProtobufReader } from './wire/protobuf-reader.ts';
import { readTail, SeriesTail } from './wire/write-request.ts';

/** The limits of `ingest.limits` on a sample's time, in ms; 0 or absent: none. */
export interface AgeLimits {
  readonly max_age?: number;
  readonly max_future?: number;
}

/** Times in ms between which samples are taken, both included. Infinite where there is no limit. */
export interface TimeWindow {
  readonly oldest: number;
  readonly newest: number;
}

export const ANY_TIME: TimeWindow = {
  oldest: Number.NEGATIVE_INFINITY,
  newest: Number.POSITIVE_INFINITY,
};

/** What is taken at `nowMs`; `ANY_TIME` itself where there is no limit. */
export function timeWindow({ max_age = 0, max_future = 0 }: AgeLimits, nowMs: number): TimeWindow {
  if (max_age === 0 && max_future === 0) return ANY_TIME;
  return {
    oldest: max_age === 0 ? ANY_TIME.oldest : nowMs - max_age,
    newest: max_future === 0 ? ANY_TIME.newest : nowMs + max_future,
  };
}

/** A TimeSeries taken apart by the time of its samples. */
export interface PartsByTime {
  /** The series with the samples that are taken; undefined where there is none. */
  readonly taken: Buffer | undefined;
  readonly refused: readonly { readonly error: PoisonError; readonly series: Buffer }[];
}

/**
 * Takes the samples and histograms outside of a window out of a series whose fields have been checked. Each part has
 * all labels; the other fields stay with the first part. Plain code: it runs for series over a limit alone.
 */
export function splitByTime(
  body: Buffer,
  start: number,
  labelsEnd: number,
  end: number,
  window: TimeWindow,
): PartsByTime {
  const taken: Part = { fields: [], exampleMs: 0 };
  const old: Part = { fields: [], exampleMs: 0 };
  const early: Part = { fields: [], exampleMs: 0 };
  const others: Buffer[] = [];
  const tail = new SeriesTail();
  const fields = new ProtobufReader(body, labelsEnd, end);
  while (fields.next()) {
    const from = fields.fieldStart;
    fields.skip();
    const bytes = body.subarray(from, fields.position);
    readTail(body, from, fields.position, tail);
    if (tail.samples + tail.histograms === 0) {
      others.push(bytes);
      continue;
    }
    const time = tail.oldestMs;
    const part = time < window.oldest ? old : time > window.newest ? early : taken;
    if (part.fields.push(bytes) === 1) part.exampleMs = time;
  }
  const labels = body.subarray(start, labelsEnd);
  [taken, old, early].find((part) => part.fields.length > 0)?.fields.push(...others);
  const series = (part: Part) => Buffer.concat([labels, ...part.fields]);
  const refused: PartsByTime['refused'][number][] = [];
  if (old.fields.length > 0) refused.push({ error: tooOld(old.exampleMs, window), series: series(old) });
  if (early.fields.length > 0)
    refused.push({ error: inFuture(early.exampleMs, window), series: series(early) });
  return { taken: taken.fields.length > 0 ? series(taken) : undefined, refused };
}

interface Part {
  readonly fields: Buffer[];
  /** Time of its first sample, in ms. */
  exampleMs: number;
}

function tooOld(timeMs: number, { oldest }: TimeWindow): PoisonError {
  const message = `a sample of ${timeText(timeMs)} is too old; those since ${timeText(oldest)} are taken (ingest.limits.max_age)`;
  return new PoisonError('decode', 'sample_too_old', message);
}

function inFuture(timeMs: number, { newest }: TimeWindow): PoisonError {
  const message = `a sample of ${timeText(timeMs)} is too far in the future; those until ${timeText(newest)} are taken (ingest.limits.max_future)`;
  return new PoisonError('decode', 'sample_in_future', message);
}

/** RFC 3339, or the number where no calendar has that time. */
function timeText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}
