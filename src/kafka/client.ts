import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { Kafka, KafkaConfig, RetryOptions, SASLOptions } from 'kafkajs';
import type { Logger } from 'pino';
import { ConfigError, errorMessage } from '../model/errors.ts';
import { registerCodecs } from './codecs.ts';
import { oauthTokenProvider } from './oauth.ts';
import type { KafkaOptions } from './options.ts';
import { kafkajs } from './patch/load.ts';
import { selfTest } from './patch/self-test.ts';

/**
 * Retries inside kafkajs for a consumer: it waits for a dead broker as long as that takes. The longest pause
 * stays far below a session timeout, since no heartbeat is sent during it.
 */
export const PATIENT: RetryOptions = {
  initialRetryTime: 100,
  maxRetryTime: 2_000,
  factor: 0.2,
  multiplier: 2,
  retries: Number.MAX_SAFE_INTEGER,
};

/** Retries inside kafkajs where Penstock has a loop of its own around the call. */
export const BRIEF: RetryOptions = {
  initialRetryTime: 50,
  maxRetryTime: 1_000,
  factor: 0.2,
  multiplier: 2,
  retries: 12,
};

/** Opens connections to one cluster. Checks kafkajs' replacements before the first. */
export class KafkaConnection {
  readonly #config: KafkaConfig;

  /** @throws ConfigError when a certificate or key file cannot be read. */
  constructor(options: KafkaOptions, log: Logger) {
    selfTest();
    registerCodecs();
    const ssl = tlsOptions(options.tls);
    const sasl = saslOptions(options.sasl);
    this.#config = {
      brokers: options.brokers,
      clientId: options.client_id,
      connectionTimeout: options.connection_timeout,
      authenticationTimeout: options.connection_timeout,
      requestTimeout: options.request_timeout,
      ...(ssl === undefined ? {} : { ssl }),
      ...(sasl === undefined ? {} : { sasl }),
      logLevel: kafkajs.logLevel.INFO,
      logCreator: () => forwardTo(log),
    };
  }

  /**
   * A kafkajs instance of its own for one consumer, producer or admin client. They must not share one:
   * kafkajs keeps its book of committed offsets there.
   */
  instance(retry: RetryOptions): Kafka {
    return new kafkajs.Kafka({ ...this.#config, retry });
  }
}

/** kafkajs logs each retry as an error and each pause as news; Penstock says itself what an operator acts on. */
function forwardTo(log: Logger) {
  return ({
    namespace,
    level,
    log: entry,
  }: {
    namespace: string;
    level: number;
    log: { message: string };
  }) => {
    const { message, ...rest } = entry;
    const fields = { kafkajs: namespace, ...rest };
    if (level <= kafkajs.logLevel.WARN) log.debug(fields, message);
    else log.trace(fields, message);
  };
}

function tlsOptions(tls: KafkaOptions['tls']): ConnectionOptions | undefined {
  if (!tls.enabled) return undefined;
  return {
    ...(tls.ca_file === undefined ? {} : { ca: [readPem(tls.ca_file, 'kafka.tls.ca_file')] }),
    ...(tls.cert_file === undefined ? {} : { cert: readPem(tls.cert_file, 'kafka.tls.cert_file') }),
    ...(tls.key_file === undefined ? {} : { key: readPem(tls.key_file, 'kafka.tls.key_file') }),
    ...(tls.server_name === undefined ? {} : { servername: tls.server_name }),
    rejectUnauthorized: !tls.insecure_skip_verify,
  };
}

function readPem(file: string, key: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`${key}: cannot read ${file}: ${errorMessage(error)}`);
  }
}

function saslOptions(sasl: KafkaOptions['sasl']): SASLOptions | undefined {
  const { mechanism, username = '', password = '' } = sasl;
  switch (mechanism) {
    case 'none':
      return undefined;
    case 'oauthbearer':
      return { mechanism, oauthBearerProvider: oauthTokenProvider(sasl) };
    default:
      return { mechanism, username, password };
  }
}
