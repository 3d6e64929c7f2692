import type { FetchedRecord } from '../../src/kafka/partition-queue.ts';
import type { Label } from '../../src/model/labels.ts';
import type { PipelineRoute } from '../../src/pipeline.ts';
import { WriteRequestBuilder } from '../../src/wire/write-request-builder.ts';

const HEADERS = {
  'content-type': 'application/x-protobuf;proto=prometheus.WriteRequest',
  'content-encoding': 'identity',
};

/** A record with a WriteRequest of one sample for each of the names. */
export function seriesRecord(
  offset: number,
  names: readonly string[],
  headers: Record<string, string | Buffer | null> = {},
): FetchedRecord {
  const builder = new WriteRequestBuilder();
  for (const name of names) {
    builder.beginSeries();
    builder.label('__name__', name);
    builder.sample(1, 1_760_000_000_000);
    builder.endSeries();
  }
  return rawRecord(offset, builder.finish(), { ...HEADERS, ...headers });
}

export function rawRecord(
  offset: number,
  value: Buffer,
  headers: Record<string, string | Buffer | null> = HEADERS,
): FetchedRecord {
  return { topic: 'raw', partition: 0, offset: BigInt(offset), timestamp: 1, key: null, value, headers };
}

/** A route that takes every series. */
export function everyRoute(over: Partial<PipelineRoute> = {}): PipelineRoute {
  return {
    name: 'all',
    index: 0,
    topic: 'tasks',
    selectors: [],
    relabeler: { apply: (labels) => labels as Label[] },
    hasRules: false,
    task: () => 0,
    taskLabel: 'task',
    count: 1,
    ...over,
  };
}
