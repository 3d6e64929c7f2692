import { Lease } from '../../core/wire/memory.ts';
import type { FetchedRecord } from './partition-queue.ts';
import { memoryOf } from './patch/record-set.ts';
import type { FetchedBatch } from './patch/types.ts';

/**
 * The records of a batch in one allocation of their own, whose lease the last of them carries.
 *
 * Uncompressed record sets were already copied out of the fetch response. Compressed records are copied here: a codec's
 * output may be part of a larger buffer, which a few waiting records would keep alive.
 */
export function copyRecords(batch: FetchedBatch): FetchedRecord[] {
  const { topic, partition } = batch;
  const records: Writable<FetchedRecord>[] = batch.messages.map((message) => ({
    topic,
    partition,
    offset: BigInt(message.offset),
    timestamp: safeTime(message.timestamp),
    key: message.key,
    value: message.value,
    headers: message.headers ?? {},
    ...(message.headersLeftOut ? { headersLeftOut: message.headersLeftOut } : {}),
  }));
  const memory = memoryOf(batch.rawMessages) ?? moveToOwn(records);
  const last = records.at(-1);
  if (last !== undefined) last.lease = new Lease(memory);
  return records;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Moves keys, values and headers of the records into one allocation. */
function moveToOwn(records: readonly Writable<FetchedRecord>[]): Buffer {
  let total = 0;
  for (const record of records) total += contentBytes(record);
  const memory = Buffer.allocUnsafeSlow(total);
  let end = 0;
  const moved = (bytes: Buffer): Buffer => {
    const start = end;
    end += bytes.copy(memory, start);
    return memory.subarray(start, end);
  };
  for (const record of records) {
    const headers: Writable<FetchedRecord['headers']> = record.headers;
    record.key &&= moved(record.key);
    record.value &&= moved(record.value);
    for (const name in headers) {
      const value = headers[name];
      if (Buffer.isBuffer(value)) headers[name] = moved(value);
    }
  }
  return memory;
}

/** Clamps a timestamp to safe integers, so that whatever a producer has set can be written again. */
function safeTime(timestamp: string): number {
  const time = Number(timestamp);
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, time));
}

function contentBytes({ key, value, headers }: FetchedRecord): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0);
  for (const name in headers) {
    const header = headers[name];
    if (Buffer.isBuffer(header)) bytes += header.length;
  }
  return bytes;
}
