/** A real broker with a listener for every kind of login that Penstock supports. */
import { freePorts } from '../../lab/ports.ts';
import { type KafkaCluster, startKafka } from '../../lab/servers/kafka.ts';
import type { Listener } from '../../lab/servers/kafka-properties.ts';
import { setScramPassword } from '../../lab/servers/scram-users.ts';
import { type Certificates, type KeyPair, pemProperty } from './certificates.ts';
import type { TokenServer } from './token-server.ts';

export interface SecureKafkaOptions {
  readonly certificates: Certificates;
  readonly tokens: TokenServer;
  readonly username: string;
  readonly password: string;
}

export interface SecureKafka {
  readonly cluster: KafkaCluster;
  /** TLS and a password: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512. */
  readonly password: string;
  /** TLS with client certificates. */
  readonly mutual: string;
  /** OAUTHBEARER without TLS. */
  readonly oauth: string;
  /** TLS with a certificate that has expired. */
  readonly expired: string;
  /** Changes the password for SCRAM. */
  changePassword(password: string): Promise<void>;
}

const SECURITY = 'org.apache.kafka.common.security';

export async function startSecureKafka(options: SecureKafkaOptions): Promise<SecureKafka> {
  const { certificates, tokens, username } = options;
  const ports = await freePorts(4);
  const listeners: Listener[] = [
    { name: 'PASSWORD', port: ports[0]!, protocol: 'SASL_SSL' },
    { name: 'MUTUAL', port: ports[1]!, protocol: 'SSL' },
    { name: 'OAUTH', port: ports[2]!, protocol: 'SASL_PLAINTEXT' },
    { name: 'EXPIRED', port: ports[3]!, protocol: 'SSL' },
  ];
  const cluster = await startKafka({
    name: 'secure-kafka',
    listeners,
    systemProperties: { 'org.apache.kafka.sasl.oauthbearer.allowed.urls': tokens.keysUrl },
    properties: {
      ...identity('password', certificates.server),
      'listener.name.password.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      'listener.name.password.plain.sasl.jaas.config': `${SECURITY}.plain.PlainLoginModule required user_${username}="${options.password}";`,
      'listener.name.password.scram-sha-256.sasl.jaas.config': `${SECURITY}.scram.ScramLoginModule required;`,
      'listener.name.password.scram-sha-512.sasl.jaas.config': `${SECURITY}.scram.ScramLoginModule required;`,
      ...identity('mutual', certificates.server),
      'listener.name.mutual.ssl.client.auth': 'required',
      'listener.name.mutual.ssl.truststore.type': 'PEM',
      'listener.name.mutual.ssl.truststore.certificates': pemProperty(certificates.ca),
      ...identity('expired', certificates.expired),
      'listener.name.oauth.sasl.enabled.mechanisms': 'OAUTHBEARER',
      'listener.name.oauth.oauthbearer.sasl.jaas.config': `${SECURITY}.oauthbearer.OAuthBearerLoginModule required;`,
      'listener.name.oauth.oauthbearer.sasl.server.callback.handler.class': `${SECURITY}.oauthbearer.OAuthBearerValidatorCallbackHandler`,
      'listener.name.oauth.oauthbearer.connections.max.reauth.ms': '3600000',
      'sasl.oauthbearer.jwks.endpoint.url': tokens.keysUrl,
    },
  });
  const plain = Number(cluster.brokers[0]!.split(':')[1]);
  const changePassword = (password: string) => setScramPassword(plain, username, password);
  try {
    await changePassword(options.password);
  } catch (error) {
    await cluster.close();
    throw error;
  }
  const [password, mutual, oauth, expired] = ports.map((port) => `127.0.0.1:${port}`);
  return {
    cluster,
    password: password!,
    mutual: mutual!,
    oauth: oauth!,
    expired: expired!,
    changePassword,
  };
}

/** Certificate settings of a listener. */
function identity(listener: string, { cert, key }: KeyPair): Record<string, string> {
  const prefix = `listener.name.${listener}.ssl.keystore`;
  return {
    [`${prefix}.type`]: 'PEM',
    [`${prefix}.certificate.chain`]: pemProperty(cert),
    [`${prefix}.key`]: pemProperty(key),
  };
}
