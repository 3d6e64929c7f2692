import type { Labels } from '../model/labels.ts';

/** What one route did with the series of a step. */
export interface RouteCounts {
  /** Sent on. */
  series: number;
  samples: number;
  /** Dropped by a relabeling rule. */
  droppedSeries: number;
  droppedSamples: number;
  /** Series that the cache did not know. */
  newSeries: number;
  /** How many of those have no such label after relabeling, by position in the route's group labels. */
  newWithoutLabel: readonly number[];
}

/** What went through a step. Samples are data points: samples and native histograms. */
export interface StepCounts {
  records: number;
  /** Bytes of the records' values, as received. */
  bytes: number;
  /** The same after decompression. */
  decodedBytes: number;
  series: number;
  samples: number;
  /** How many of `samples` are native histograms. */
  histograms: number;
  exemplars: number;
  /** Series that no route matched. */
  unroutedSeries: number;
  unroutedSamples: number;
  /** The labels of such a series; absent where all of them were known. */
  unroutedExample?: Labels;
  /** Records of which nothing could be used, and single series set aside. */
  deadRecords: number;
  deadSeries: number;
  /** Fields of WriteRequests that no task record can carry: metric metadata, and fields unknown to remote write 1.0. */
  metadata: number;
  unknownFields: number;
  /** Records whose Kafka time is none: the time of receipt stands for it. Absent where there were none. */
  withoutTime?: number;
  /** What other encodings have and a remote write 1.0 series has no place for, by kind. */
  uncarried: Record<string, number>;
  /** Samples set aside for their times, by kind: `too_old`, `in_future`. */
  outOfRange: Record<string, number>;
  /** Samples, of those that are taken, with times that no storage takes: `past`, `future`. Absent where there were none. */
  unstorable?: Record<string, number>;
  /** Sample times in ms; Infinity and -Infinity where there was no sample. */
  oldestSampleMs: number;
  newestSampleMs: number;
  /** By index of the route. */
  routes: RouteCounts[];
}

/** Counts of nothing. */
export function zeroCounts(routes: number): StepCounts {
  return {
    records: 0,
    bytes: 0,
    decodedBytes: 0,
    series: 0,
    samples: 0,
    histograms: 0,
    exemplars: 0,
    unroutedSeries: 0,
    unroutedSamples: 0,
    deadRecords: 0,
    deadSeries: 0,
    metadata: 0,
    unknownFields: 0,
    uncarried: {},
    outOfRange: {},
    oldestSampleMs: Number.POSITIVE_INFINITY,
    newestSampleMs: Number.NEGATIVE_INFINITY,
    routes: Array.from({ length: routes }, () => ({
      series: 0,
      samples: 0,
      droppedSeries: 0,
      droppedSamples: 0,
      newSeries: 0,
      newWithoutLabel: [],
    })),
  };
}
