import { PoisonError } from '../model/errors.ts';
import { viewOf } from '../wire/bytes.ts';
import { splitTail } from '../wire/labels-first.ts';
import { readTail, SeriesTail } from '../wire/write-request.ts';

/**
 * Appends the TimeSeries in `[0, end)` of `bytes`, which has `samples` samples.
 * False if it is too large by itself.
 */
export type AppendPart = (bytes: DataView, end: number, samples: number) => boolean;

/**
 * Splits a series too large for one record into several, each with all labels and some of the other fields.
 * A field that is too large even alone is set aside with the labels. Slow and plain: it hardly ever runs.
 *
 * @param room bytes of a record left for the fields, after the output labels
 * @param repeated bytes of the output labels, which each part repeats
 * @returns samples and histograms sent; -1 if nothing at all could be sent
 */
export function appendInParts(
  body: Buffer,
  start: number,
  labelsEnd: number,
  end: number,
  room: number,
  repeated: number,
  append: AppendPart,
  setAside: (error: PoisonError, timeSeries: Uint8Array) => void,
): number {
  if (room <= FRAMING_BYTES || repeated > MOST_LABEL_SHARE * room) {
    setAside(
      tooLarge('series_too_large', `the series, for its labels alone (${repeated} bytes),`),
      body.subarray(start, end),
    );
    return -1;
  }
  const counted = new SeriesTail();
  let sent = -1;
  for (const part of splitTail(body, labelsEnd, end, room - FRAMING_BYTES)) {
    readTail(body, part.start, part.end, counted);
    const samples = counted.samples + counted.histograms;
    const series = Buffer.concat([body.subarray(start, labelsEnd), body.subarray(part.start, part.end)]);
    if (append(viewOf(series), series.length, samples)) sent = Math.max(sent, 0) + samples;
    else
      setAside(
        tooLarge('field_too_large', `one field of the series (${part.end - part.start} bytes)`),
        series,
      );
  }
  return sent;
}

/**
 * Most bytes of labels, as a multiple of the room left for samples. Each part repeats all labels: without this bound
 * one record of 32 MiB with labels of a megabyte would become terabytes.
 */
const MOST_LABEL_SHARE = 8;
/** Tag and length in front of a TimeSeries. */
const FRAMING_BYTES = 6;

function tooLarge(reason: string, what: string): PoisonError {
  return new PoisonError(
    'encode',
    reason,
    `${what} does not fit in a record of the task topic; raise the topic's max.message.bytes`,
  );
}
