import type { DecoderRegistry } from '../../core/decode/registry.ts';
import { topicDecoders } from '../../core/decode/topic-decoders.ts';
import type { SourceRecord } from '../../core/model/records.ts';
import { RegistryClient } from '../../io/registry/client.ts';
import { SchemaStore } from '../../io/registry/store.ts';
import type { IngestTopic } from '../../services/worker/options.ts';
import type { Config } from '../config/load.ts';

/**
 * The decoders of a topic with the schema that one record needs, fetched as a worker does.
 *
 * @throws RetryableError if the registry does not answer
 * @throws ConfigError when a certificate or key file cannot be used
 */
export async function decodersFor(
  { value, headers }: SourceRecord,
  topic: IngestTopic,
  { worker: { limits }, registry }: Config,
): Promise<DecoderRegistry> {
  const plain = topicDecoders([topic])(topic.topic);
  const id = value === null ? undefined : plain.schemaId(value, { headers, limits });
  const { url } = registry;
  if (id === undefined || url === undefined) return plain;
  const client = new RegistryClient({ ...registry, url });
  try {
    const schemas = new SchemaStore((each) => client.fetch(each), { missingTtlMs: registry.missing_ttl });
    await schemas.ensure([id]);
    return topicDecoders([{ ...topic, schemas }])(topic.topic);
  } finally {
    await client.close();
  }
}
