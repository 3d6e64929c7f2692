import { compress } from '../../../../src/core/wire/snappy.ts';
import { WriteRequestBuilder } from '../../../../src/core/wire/write-request-builder.ts';
import type { FetchedRecord } from '../../../../src/io/kafka/partition-queue.ts';

export const NOW = 1_760_000_000_000;

/** One series: its labels, its samples as [time, value]. */
export interface Made {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [number, number])[];
}

/** An uncompressed WriteRequest. */
export function requestOf(series: readonly Made[]): Buffer {
  const builder = new WriteRequestBuilder();
  for (const { labels, samples } of series) {
    builder.beginSeries();
    for (const [name, value] of Object.entries(labels)) builder.label(name, value);
    for (const [time, value] of samples) builder.sample(value, time);
    builder.endSeries();
  }
  return builder.finish();
}

export function recordOf(value: Buffer | null, more: Partial<FetchedRecord> = {}): FetchedRecord {
  return {
    topic: 'metrics.raw',
    partition: 2,
    offset: 7n,
    timestamp: NOW,
    key: null,
    value,
    headers: {},
    ...more,
  };
}

/** A record as an agent's remote write becomes one. */
export function remoteWrite(series: readonly Made[], more: Partial<FetchedRecord> = {}): FetchedRecord {
  const headers = {
    'content-type': Buffer.from('application/x-protobuf'),
    'content-encoding': Buffer.from('snappy'),
  };
  return recordOf(compress(requestOf(series)), { headers, ...more });
}
