import { isoTime } from '../../../core/model/iso-time.ts';
import type { OutgoingRecord } from '../../../core/model/records.ts';
import {
  FatalKafkaError,
  isTooLarge,
  kafkaErrorType,
  namedPartition,
  RecordsRefusedError,
} from '../errors.ts';

/** Initial limit of bytes per partition and request: half of Kafka's default `max.message.bytes`. */
const BATCH_BYTES = 512 * 1024;
const SHRINK_FACTOR = 4;
/**
 * Limit of bytes per round over all partitions. They may all have the same leader, and a broker hangs up on a request
 * over `socket.request.max.bytes`, 100 MiB by default.
 */
const REQUEST_BYTES = 32 * 1024 * 1024;
/** Bytes that a record takes in a batch beside its key, value and headers, at most. */
const FRAMING_BYTES = 70;

/**
 * Limits the bytes per record batch.
 *
 * kafkajs makes one record batch per partition and request, however large, and a broker refuses one over the topic's
 * `max.message.bytes`. So records are sent in rounds. A topic's limit shrinks for good when a batch of several records
 * is refused; a record refused alone cannot be sent at all.
 */
export class BatchLimit {
  /** Limit by topic; `BATCH_BYTES` for topics without an entry. */
  readonly #bytes = new Map<string, number>();

  /** Splits records into rounds, to be sent in turn; keeps the order within each partition. */
  rounds(records: readonly OutgoingRecord[]): OutgoingRecord[][] {
    const rounds: { records: OutgoingRecord[]; bytes: number }[] = [];
    const open = new Map<string, { round: number; bytes: number }>();
    for (const record of records) {
      const id = `${record.topic}/${record.partition}`;
      const bytes = sizeOf(record);
      let place = open.get(id);
      if (place === undefined) open.set(id, (place = { round: 0, bytes: 0 }));
      else if (place.bytes + bytes > this.#limitOf(record.topic)) {
        place.round += 1;
        place.bytes = 0;
      }
      // A full round takes no more records; later rounds have room.
      for (; (rounds[place.round]?.bytes ?? 0) + bytes > REQUEST_BYTES; place.bytes = 0) {
        if (rounds[place.round] === undefined) break;
        place.round += 1;
      }
      place.bytes += bytes;
      const round = (rounds[place.round] ??= { records: [], bytes: 0 });
      round.records.push(record);
      round.bytes += bytes;
    }
    return rounds.map((round) => round.records);
  }

  /**
   * Handles the error of a round. Returns if the same records may pass in smaller rounds.
   *
   * @throws FatalKafkaError when a single record is too large or records are refused permanently; else the error itself
   */
  shrink(error: unknown, round: readonly OutgoingRecord[]): void {
    if (!isTooLarge(error)) throw refusedForGood(error, round) ?? error;
    const refused = refusedBy(error, round);
    const batches = new Map<string, number>();
    for (const record of refused) {
      const id = `${record.topic}/${record.partition}`;
      batches.set(id, (batches.get(id) ?? 0) + sizeOf(record));
    }
    if (batches.size < refused.length) {
      const bytes = Math.max(...batches.values()) / SHRINK_FACTOR;
      for (const topic of new Set(refused.map((record) => record.topic)))
        this.#bytes.set(topic, Math.min(this.#limitOf(topic), bytes));
      return;
    }
    const largest = refused.reduce((a, b) => (sizeOf(b) > sizeOf(a) ? b : a));
    throw new RecordsRefusedError(
      'message_too_large',
      `The brokers refuse a record of ${sizeOf(largest)} bytes for topic ${largest.topic}, partition ${largest.partition}, as too large. ` +
        'Raise max.message.bytes of the topic ("penstock topics apply"); when it was lowered, start Penstock again: it reads the limit at start-up.',
      { cause: error, topic: largest.topic },
    );
  }

  #limitOf(topic: string): number {
    return this.#bytes.get(topic) ?? BATCH_BYTES;
  }
}

/** Records of the partition named by the error; all of the round if it names none. */
function refusedBy(error: unknown, round: readonly OutgoingRecord[]): readonly OutgoingRecord[] {
  const named = namedPartition(error);
  const refused = round.filter(
    ({ topic, partition }) => topic === named?.topic && (named.partition ?? partition) === partition,
  );
  return refused.length > 0 ? refused : round;
}

function sizeOf({ key, value, headers }: OutgoingRecord): number {
  let bytes = FRAMING_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
  for (const name in headers) bytes += Buffer.byteLength(name) + 10 + Buffer.byteLength(headers[name] ?? '');
  return bytes;
}

/**
 * The error for records that a broker would refuse again; undefined for any other error.
 *
 * Names all topics of the round if the answer names none.
 */
export function refusedForGood(
  error: unknown,
  round: readonly OutgoingRecord[],
): FatalKafkaError | undefined {
  const named = namedPartition(error);
  const ofTopic = round.filter(({ topic }) => topic === named?.topic);
  const records = ofTopic.length > 0 ? ofTopic : round;
  switch (kafkaErrorType(error)) {
    case 'INVALID_TIMESTAMP':
      return new FatalKafkaError(
        `The brokers refuse records for ${topicsOf(records)} for their time, ${timesOf(records)}, which is that of writing: ` +
          "the clock of this machine, or a broker's, is further off than message.timestamp.before.max.ms and " +
          'message.timestamp.after.max.ms of the topic allow. Set the clock; with message.timestamp.type LogAppendTime the ' +
          "topic has the brokers' time.",
        { cause: error },
      );
    case 'INVALID_RECORD':
      return new FatalKafkaError(
        `The brokers refuse records for ${topicsOf(records)} as invalid. Records have no key, which a topic with ` +
          'cleanup.policy compact does not take: "penstock topics plan" shows what has to be set otherwise.',
        { cause: error },
      );
    default:
      return undefined;
  }
}

function topicsOf(records: readonly OutgoingRecord[]): string {
  const topics = [...new Set(records.map(({ topic }) => topic))];
  return `${topics.length === 1 ? 'topic' : 'one of the topics'} ${topics.join(', ')}`;
}

function timesOf(records: readonly OutgoingRecord[]): string {
  let [oldest, newest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { timestamp } of records) {
    oldest = Math.min(oldest, timestamp);
    newest = Math.max(newest, timestamp);
  }
  return oldest === newest ? isoTime(oldest) : `${isoTime(oldest)} to ${isoTime(newest)}`;
}
