import type { FetchedRecord } from './partition-queue.ts';
import { memoryOf } from './patch/record-set.ts';
import type { FetchedBatch } from './patch/types.ts';

/**
 * The records of a batch in memory of their own, all in one; the last of them carries it.
 *
 * Mostly the record set was copied out of the fetch response as it was decoded. Compressed records are copied here: a
 * codec's output may be part of something larger, which a small partition that waits would keep alive.
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
  if (last !== undefined) last.memory = memory;
  return records;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Copies what the records refer to into one allocation. */
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

/** A time that a number holds exactly: whatever a producer has set, it can be written again. */
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
