import type { Labels } from '../model/labels.ts';

/** Counts of one route in a step. */
export interface RouteCounts {
  /** Sent on. */
  series: number;
  samples: number;
  /** Dropped by a relabeling rule. */
  droppedSeries: number;
  droppedSamples: number;
  /** Sent series that the cache did not know. */
  newSeries: number;
  /** Number of those without the label after relabeling, by position in the route's group labels. */
  newWithoutLabel: readonly number[];
}

/** Counts of a step. Samples are data points: samples and native histograms. */
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
  /** Labels of one of them that the cache did not know; absent if it knew them all. */
  unroutedExample?: Labels;
  /** Records of which nothing could be used, and single series set aside. */
  deadRecords: number;
  deadSeries: number;
  /** Fields of WriteRequests that no task record can carry: metric metadata, and fields unknown to remote write 1.0. */
  metadata: number;
  unknownFields: number;
  /** Records without a valid Kafka timestamp, which get the time of receipt. Absent if there were none. */
  withoutTime?: number;
  /** Data of other encodings that a remote write 1.0 series cannot carry, by kind. */
  uncarried: Record<string, number>;
  /** Samples set aside for their times, by kind: `too_old`, `in_future`. */
  outOfRange: Record<string, number>;
  /** Samples that are taken, with times that storages usually refuse: `past`, `future`. Absent if there were none. */
  unstorable?: Record<string, number>;
  /** Sample times in ms; Infinity and -Infinity where there was no sample. */
  oldestSampleMs: number;
  newestSampleMs: number;
  /** By index of the route. */
  routes: RouteCounts[];
}

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
