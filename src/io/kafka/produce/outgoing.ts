import type { IHeaders, TopicMessages } from 'kafkajs';
import { RetryableError } from '../../../core/model/errors.ts';
import type { OutgoingRecord } from '../../../core/model/records.ts';
import { monotonicMs } from '../../time/clock.ts';
import { FatalKafkaError } from '../errors.ts';
import type { StaleAnswerGuard } from '../topic/stale-answer-guard.ts';

/** Age in ms of a producer beyond which a partition missing from its metadata may just be new. */
const FRESH_METADATA_MS = 10_000;

/** Records in the shape of kafkajs: one entry per topic, the partition in each message. */
export function topicMessages(records: readonly OutgoingRecord[]): TopicMessages[] {
  const topics = new Map<string, TopicMessages>();
  for (const { topic, partition, key, value, headers, timestamp } of records) {
    const entry = topics.get(topic) ?? { topic, messages: [] };
    // Kafka allows headers without a value; only kafkajs' types do not.
    entry.messages.push({
      partition,
      key,
      value,
      headers: headers as IHeaders,
      timestamp: String(timestamp),
    });
    topics.set(topic, entry);
  }
  return [...topics.values()];
}

/**
 * Checks that brokers acknowledged every partition written to: kafkajs silently drops messages to partitions that are
 * not in its metadata.
 *
 * @param connectedMs when the producer connected, by `monotonicMs`: partitions may have been added since
 * @param unknown partitions missing from fresh metadata: a broker may not have heard of them yet
 * @throws RetryableError while a new producer may know the partition; else FatalKafkaError
 */
export function assertAcknowledged(
  records: readonly OutgoingRecord[],
  acknowledged: readonly { readonly topicName: string; readonly partition: number }[],
  connectedMs: number,
  unknown: StaleAnswerGuard,
): void {
  const seen = new Set(acknowledged.map(({ topicName, partition }) => `${topicName}/${partition}`));
  const missing = new Set(
    records.map(({ topic, partition }) => `${topic}/${partition}`).filter((id) => !seen.has(id)),
  );
  for (const id of seen) unknown.refuted(id);
  if (missing.size === 0) return;
  if (monotonicMs() - connectedMs > FRESH_METADATA_MS) {
    throw new RetryableError(`The metadata has no partition ${[...missing].join(', ')}; it may be old`);
  }
  for (const id of missing) unknown.met(id, `the metadata has no partition ${id}`);
  throw new FatalKafkaError(
    `The brokers have no partition ${[...missing].join(', ')}. Run "penstock topics apply" with the same configuration.`,
  );
}
