import { errorMessage } from '../../../core/model/errors.ts';
import { certificateFault, plainTlsMessage } from '../../credentials/certificate-fault.ts';
import { isUnauthorized } from '../errors.ts';
import { saysNoToken } from '../patch/messages.ts';
import type { KafkaOptions } from './options.ts';

/** Advice by SASL mechanism. */
const CHECK: Readonly<Record<KafkaOptions['sasl']['mechanism'], string>> = {
  none: 'expected kafka.sasl settings, or a client certificate (kafka.tls.cert_file)',
  plain: 'expected other kafka.sasl.username and password (PENSTOCK_KAFKA_SASL_PASSWORD_FILE)',
  'scram-sha-256': 'expected other kafka.sasl.username and password (PENSTOCK_KAFKA_SASL_PASSWORD_FILE)',
  'scram-sha-512': 'expected other kafka.sasl.username and password (PENSTOCK_KAFKA_SASL_PASSWORD_FILE)',
  oauthbearer:
    'expected a token that the brokers accept: check kafka.sasl.token_url, the client and its scope',
};

/** One line for an error of `isRefused`: what was refused, by whom, and what to do. */
export function refusal(error: unknown, { brokers, sasl }: KafkaOptions): string {
  const where = `Kafka (${brokers.join(', ')})`;
  const message = plainTlsMessage(errorMessage(error));
  const fault = certificateFault(error)?.replaceAll('tls.', 'kafka.tls.');
  if (saysNoToken(message)) {
    const ofEndpoint = fault?.replace('kafka.tls.ca_file', 'kafka.sasl.token_ca_file');
    return ofEndpoint === undefined ? message : `${message}; ${ofEndpoint}`;
  }
  if (fault !== undefined) return `${where}: ${message}; ${fault}`;
  if (isUnauthorized(error)) return `${where}: ${message}; expected rights for this user (ACLs)`;
  return `${where} refuses the login by ${sasl.mechanism}: ${message}; ${CHECK[sasl.mechanism]}`;
}
