import type { Admin } from 'kafkajs';
import { kafkaErrorType } from '../errors.ts';

/** Kafka's ConfigResource.Type. */
const BROKER = 4;

/** Settings of a broker, by Kafka's names; none without the right to read them. */
export async function brokerSettings(
  admin: Admin,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const { brokers } = await admin.describeCluster();
  const broker = brokers[0];
  if (broker === undefined) return new Map();
  try {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: BROKER, name: String(broker.nodeId), configNames: [...names] }],
    });
    return new Map(
      resources[0]?.configEntries
        .filter(({ configValue }) => configValue !== null)
        .map(({ configName, configValue }) => [configName, configValue]),
    );
  } catch (error) {
    if (kafkaErrorType(error) === 'CLUSTER_AUTHORIZATION_FAILED') return new Map();
    throw error;
  }
}

export const OFFSETS_RETENTION = 'offsets.retention.minutes';
