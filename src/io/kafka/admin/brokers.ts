import type { Admin } from 'kafkajs';
import type { Logger } from 'pino';
import { errorMessage } from '../../../core/model/errors.ts';
import { kafkaErrorType } from '../errors.ts';
import { brokersOf } from '../patch/admin.ts';
import { isSteady, STEADY_KAFKA } from '../patch/broker.ts';

interface Clients {
  client(): Promise<Admin>;
}

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

/**
 * Warns at start-up of brokers that may never end a transaction (before `STEADY_KAFKA`). Skips brokers that are down.
 */
export async function warnOfUnsteadyBrokers(admin: Clients, log: Logger): Promise<void> {
  const brokers = await unsteadyBrokers(admin).catch((error) => {
    log.debug({ error: errorMessage(error) }, 'which version the brokers have is not known');
    return [];
  });
  if (brokers.length === 0) return;
  log.warn(
    { brokers },
    `these brokers are older than Kafka ${STEADY_KAFKA}: when one goes or comes back they can lose sight of a ` +
      'transaction; its partition then waits until the coordinator of the transaction is restarted, and nothing is lost ' +
      '(docs/operations/runbooks.md)',
  );
}

async function unsteadyBrokers(admin: Clients): Promise<string[]> {
  const client = await admin.client();
  const { brokers } = await client.describeCluster();
  const pool = brokersOf(client);
  const found = await Promise.allSettled(brokers.map(({ nodeId }) => pool.findBroker({ nodeId })));
  return found.flatMap((each) =>
    each.status === 'fulfilled' && !isSteady(each.value.versions ?? {}) ? [each.value.brokerAddress] : [],
  );
}
