import type { PipelineRoute } from '../../src/core/pipeline/pipeline.ts';
import type { StoredLetter } from '../../src/core/record/stored-letter.ts';
import type { FetchedRecord } from '../../src/io/kafka/partition-queue.ts';
import { encodeWriteRequest, namedSeries } from '../lab/generator/write-request.ts';
import { PASS_ROUTE } from './pass-route.ts';

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
  const body = encodeWriteRequest(namedSeries(names));
  return rawRecord(offset, body, { ...HEADERS, ...headers });
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
    ...PASS_ROUTE,
    taskLabel: 'task',
    ...over,
  };
}

/** A dead letter with the record's value and headers, and nothing else. */
export function letterOf(record: FetchedRecord): StoredLetter {
  return { record, stage: 'decode', reason: '', message: '', source: undefined, redriven: 0, firstSeen: '' };
}
