import type { FetchedRecord } from './partition-queue.ts';
import type { FetchedBatch, KafkaMessage } from './patch/types.ts';

/**
 * The records of a batch, copied out of the fetch response.
 *
 * In kafkajs they are slices of the whole response. A small partition that waits would keep alive all that came
 * with it for the others, many times what it is counted with.
 */
export function copyRecords(batch: FetchedBatch): FetchedRecord[] {
  const { topic, partition } = batch;
  const records = batch.messages.map((message) => ({
    topic,
    partition,
    offset: BigInt(message.offset),
    timestamp: Number(message.timestamp),
    key: message.key,
    value: message.value,
    headers: lastOfEach(message.headers ?? {}),
  }));
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
    record.key &&= moved(record.key);
    record.value &&= moved(record.value);
    for (const name in record.headers) {
      const value = record.headers[name];
      if (Buffer.isBuffer(value)) record.headers[name] = moved(value);
    }
  }
  return records;
}

/** Kafka allows several headers of one name; the last one counts. */
function lastOfEach(
  headers: NonNullable<KafkaMessage['headers']>,
): Record<string, Buffer | string | undefined> {
  const last: Record<string, Buffer | string | undefined> = {};
  for (const name in headers) {
    const value = headers[name];
    last[name] = Array.isArray(value) ? value.at(-1) : value;
  }
  return last;
}

function contentBytes({ key, value, headers }: FetchedRecord): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0);
  for (const name in headers) {
    const header = headers[name];
    if (Buffer.isBuffer(header)) bytes += header.length;
  }
  return bytes;
}
