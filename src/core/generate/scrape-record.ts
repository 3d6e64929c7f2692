import { compress } from '../wire/snappy.ts';
import { WriteRequestBuilder } from '../wire/write-request-builder.ts';
import type { Scrape } from './fleet.ts';

/** Prometheus' stale marker: a NaN with this payload (Prometheus, model/value). */
export const STALE_MARKER_BITS = 0x7ff0000000000002n;

/** Headers of a record for the ingest topic. The type names one encoding alone, so it wins over the configured one. */
export const RECORD_HEADERS = {
  'content-type': 'application/x-protobuf;proto=prometheus.WriteRequest',
  'content-encoding': 'snappy',
} as const;

/** One record for the ingest topic. */
export interface ScrapeRecord {
  /** Name of the pod: its samples stay in order, in one partition. */
  readonly key: string;
  /** snappy(remote write 1.0 WriteRequest). */
  readonly value: Buffer;
  readonly timestampMs: number;
}

const builder = new WriteRequestBuilder();

/** A scrape as records of at most `seriesPerRecord` series each. */
export function encodeScrape(scrape: Scrape, seriesPerRecord: number): ScrapeRecord[] {
  const { pod, series, timestampMs, stale } = scrape;
  const records: ScrapeRecord[] = [];
  for (let from = 0; from < series.length; from += seriesPerRecord) {
    for (const { labels, value } of series.slice(from, from + seriesPerRecord)) {
      builder.beginSeries();
      for (const label of labels) builder.label(label.name, label.value);
      if (stale) builder.sampleBits(STALE_MARKER_BITS, timestampMs);
      else builder.sample(value, timestampMs);
      builder.endSeries();
    }
    records.push({ key: pod.name, value: compress(builder.finish()), timestampMs });
  }
  return records;
}
