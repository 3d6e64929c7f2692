import { PoisonError } from '../model/errors.ts';
import { viewOf } from '../wire/bytes.ts';
import { splitTail } from '../wire/labels-first.ts';
import { readTail, SeriesTail } from '../wire/write-request.ts';

/**
 * Appends a TimeSeries that starts at byte 0 of `bytes` and ends at `end`, with so many samples.
 * False where it is too large by itself.
 */
export type AppendPart = (bytes: DataView, end: number, samples: number) => boolean;

/**
 * Sends a series that no record can hold as several, each with all labels and some of the fields that follow them.
 * A field that is too large even alone is set aside with the labels. Slow and plain: it hardly ever runs.
 *
 * @param room bytes that a record has for the fields, the output labels already taken off
 * @param repeated bytes of those output labels, which each part has again
 * @returns samples and histograms sent; -1 where nothing at all could be sent
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
 * Each part has all labels again, so they may take at most so many times the room that is left for samples: else one record of
 * 32 MiB with labels of a megabyte would become terabytes.
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
