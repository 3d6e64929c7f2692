import { createDecoders, DecoderRegistry, type DecoderSetup } from './registry.ts';

/** Configured encoding of a topic's records. */
export interface TopicEncoding extends DecoderSetup {
  readonly topic: string;
  /** Encoding of records that do not name theirs. */
  readonly encoding: string;
}

/**
 * The decoders of several ingest topics, each with its own default and options. Decoders keep buffers between
 * records, so every topic has a set of its own.
 *
 * @returns the decoders by topic; those of the first for a topic that is not among them
 */
export function topicDecoders(
  topics: readonly [TopicEncoding, ...TopicEncoding[]],
): (topic: string) => DecoderRegistry {
  const registries = new Map(
    topics.map(({ topic, encoding, ...options }) => [
      topic,
      new DecoderRegistry(encoding, createDecoders(options)),
    ]),
  );
  const first = registries.get(topics[0].topic)!;
  return (topic) => registries.get(topic) ?? first;
}
