import { doubleOf, readWriteRequest } from './prompb.ts';

/** Samples in the records of a task topic. */
export interface FoundSamples {
  /** `series@timestamp` ▸ value. */
  readonly samples: Map<string, number>;
  /** Number of samples found again. */
  repeated: number;
  /** Number of samples older than one before them in their series. */
  outOfOrder: number;
}

/** Reads records in the order given, with code that is not under test. */
export function samplesOf(records: readonly { readonly value: Buffer | null }[]): FoundSamples {
  const found: FoundSamples = { samples: new Map(), repeated: 0, outOfOrder: 0 };
  const newest = new Map<string, number>();
  for (const { value } of records) {
    for (const { labels, samples } of readWriteRequest(value!).series) {
      const series = labels.map(([name, text]) => `${name}=${JSON.stringify(text)}`).join();
      for (const { bits, timestamp } of samples) {
        const key = `${series}@${timestamp}`;
        const time = Number(timestamp);
        if (found.samples.has(key)) found.repeated += 1;
        if (time < (newest.get(series) ?? Number.NEGATIVE_INFINITY)) found.outOfOrder += 1;
        newest.set(series, time);
        found.samples.set(key, doubleOf(bits));
      }
    }
  }
  return found;
}
