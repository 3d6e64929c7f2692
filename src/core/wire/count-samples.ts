import { PoisonError } from '../model/errors.ts';
import { eachSeries } from './each-series.ts';
import { uncompress } from './snappy.ts';

const MAX_BYTES = 256 * 1024 * 1024;

/** Number of samples and native histograms in a snappy WriteRequest; undefined if it is invalid. */
export function samplesIn(snappy: Buffer): number | undefined {
  let count = 0;
  try {
    eachSeries(uncompress(snappy, MAX_BYTES), (_bytes, _start, _labelsEnd, _end, { samples, histograms }) => {
      count += samples + histograms;
    });
    return count;
  } catch (error) {
    if (error instanceof PoisonError) return undefined;
    throw error;
  }
}
