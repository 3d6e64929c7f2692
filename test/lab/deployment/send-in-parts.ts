import type { OutgoingRecord } from '../../../src/core/model/records.ts';
import type { PlainProducer } from '../../../src/io/kafka/produce/plain-producer.ts';

/** Bytes of one send: kafkajs does not split. */
const SEND_BYTES = 512 * 1024;

/** Sends any number of records, in order within each partition, in parts that fit a request. */
export async function sendInParts(producer: PlainProducer, records: Iterable<OutgoingRecord>): Promise<void> {
  let part: OutgoingRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    part.push(record);
    bytes += record.value?.length ?? 0;
    if (bytes < SEND_BYTES) continue;
    await producer.send(part);
    part = [];
    bytes = 0;
  }
  if (part.length > 0) await producer.send(part);
}
