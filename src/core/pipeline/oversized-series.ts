import { PoisonError } from '../model/errors.ts';
import { splitTail } from '../wire/labels-first.ts';
import { SeriesBytes } from '../wire/series-walk.ts';

/**
 * Splits a series too large for one record into several, each with all labels and some of the other fields.
 * A field that is too large even alone is set aside with the labels. Slow and plain: it hardly ever runs.
 *
 * @param record bytes that a record may have before compression, and bytes of the output labels, which each part repeats
 * @param append appends a part; false if it is too large by itself
 * @returns samples and histograms sent; -1 if nothing at all could be sent
 */
export function appendInParts(
  series: SeriesBytes,
  { capacity, labelBytes }: { readonly capacity: number; readonly labelBytes: number },
  append: (part: SeriesBytes) => boolean,
  setAside: (error: PoisonError, timeSeries: Uint8Array) => void,
): number {
  const { bytes, start, labelsEnd, end } = series;
  const room = capacity - labelBytes;
  if (room <= FRAMING_BYTES || labelBytes > MOST_LABEL_SHARE * room) {
    setAside(
      tooLarge('series_too_large', `the series, for its labels alone (${labelBytes} bytes),`),
      series.whole,
    );
    return -1;
  }
  let sent = -1;
  for (const fields of splitTail(bytes, labelsEnd, end, room - FRAMING_BYTES)) {
    const labels = bytes.subarray(start, labelsEnd);
    const part = new SeriesBytes(Buffer.concat([labels, bytes.subarray(fields.start, fields.end)]));
    part.checked(undefined, labels.length);
    if (append(part)) sent = Math.max(sent, 0) + part.points;
    else
      setAside(
        tooLarge('field_too_large', `one field of the series (${fields.end - fields.start} bytes)`),
        part.bytes,
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
