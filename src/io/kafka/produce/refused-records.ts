import { isoTime } from '../../../core/model/iso-time.ts';
import type { OutgoingRecord } from '../../../core/model/records.ts';
import { FatalKafkaError, kafkaErrorType, namedPartition } from '../errors.ts';

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
