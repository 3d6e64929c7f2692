import { compress } from '../../../../src/core/wire/snappy.ts';
import type { FetchedRecord } from '../../../../src/io/kafka/partition-queue.ts';
import { encodeWriteRequest } from '../../../lab/generator/write-request.ts';

export const NOW = 1_760_000_000_000;

/** One series: its labels, its samples as [time, value]. */
export interface Made {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [number, number])[];
}

/** An uncompressed WriteRequest. */
export function requestOf(series: readonly Made[]): Buffer {
  return encodeWriteRequest(
    series.map(({ labels, samples }) => ({ labels: Object.entries(labels), samples })),
  );
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
