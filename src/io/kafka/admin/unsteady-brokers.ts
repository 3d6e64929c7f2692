import type { Logger } from 'pino';
import { errorMessage } from '../../../core/model/errors.ts';
import { brokersOf } from '../patch/admin.ts';
import { isSteady, STEADY_KAFKA } from '../patch/broker-versions.ts';
import type { KafkaAdmin } from './admin.ts';

/**
 * Warns at start-up of brokers that may never end a transaction (before `STEADY_KAFKA`). Skips brokers that are down.
 */
export async function warnOfUnsteadyBrokers(admin: Pick<KafkaAdmin, 'client'>, log: Logger): Promise<void> {
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

async function unsteadyBrokers(admin: Pick<KafkaAdmin, 'client'>): Promise<string[]> {
  const client = await admin.client();
  const { brokers } = await client.describeCluster();
  const pool = brokersOf(client);
  const found = await Promise.allSettled(brokers.map(({ nodeId }) => pool.findBroker({ nodeId })));
  return found.flatMap((each) =>
    each.status === 'fulfilled' && !isSteady(each.value.versions ?? {}) ? [each.value.brokerAddress] : [],
  );
}
