import type { IHeaders, TopicMessages } from 'kafkajs';
import { RetryableError } from '../../../core/model/errors.ts';
import type { OutgoingRecord } from '../../../core/model/records.ts';
import { monotonicMs } from '../../time/clock.ts';
import { FatalKafkaError } from '../errors.ts';
import type { StaleAnswerGuard } from '../stale-answer-guard.ts';

/** A producer whose metadata may be older than this is not believed when it knows no such partition. */
const FRESH_METADATA_MS = 10_000;

/** Records as kafkajs takes them: one entry a topic, the partition in the message. */
export function topicMessages(records: readonly OutgoingRecord[]): TopicMessages[] {
  const topics = new Map<string, TopicMessages>();
  for (const { topic, partition, key, value, headers, timestamp } of records) {
    const entry = topics.get(topic) ?? { topic, messages: [] };
    // Kafka takes headers without a value; only kafkajs' types do not know it.
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
 * Checks that the broker acknowledged every partition that was written to.
 *
 * kafkajs drops messages to a partition that it has no metadata of, and resolves.
 *
 * @param connectedMs when the producer connected, by `monotonicMs`: partitions may have been added since
 * @param unknown partitions that producers with fresh metadata did not know: a broker may not have heard of them yet
 * @throws RetryableError when another producer, with fresh metadata, may know the partition; else FatalKafkaError
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
