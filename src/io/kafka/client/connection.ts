import net from 'node:net';
import tls from 'node:tls';
import type { ISocketFactory, Kafka, KafkaConfig, RetryOptions, SASLOptions } from 'kafkajs';
import type { Logger } from 'pino';
import { TlsFiles } from '../../credentials/tls-files.ts';
import { ofClient } from '../patch/boundary.ts';
import { kafkajs } from '../patch/load.ts';
import { saysLoginOrTimeout } from '../patch/messages.ts';
import { selfTest } from '../patch/self-test.ts';
import { registerCodecs } from './codecs.ts';
import { ConnectionTrouble } from './connection-trouble.ts';
import { accessMismatch } from './mismatch.ts';
import { oauthLogin, TokenSource } from './oauth.ts';
import type { KafkaOptions } from './options.ts';

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

const KEEP_ALIVE_DELAY_MS = 60_000;
/**
 * A login is renewed when its session has this long to go. Sessions have to be longer than this; a shorter one is
 * renewed every two seconds.
 */
const REAUTHENTICATE_BEFORE_MS = 5_000;

/** Makes kafkajs' clients; mistakes in them are told from ours (patch/boundary.ts). */
export type KafkaClients = Pick<Kafka, 'producer' | 'consumer' | 'admin'>;

/** Opens connections to one cluster. Checks kafkajs' replacements before the first. */
export class KafkaConnection {
  readonly #config: KafkaConfig;
  readonly #brokers: string[];
  /** Of `brokers`, the one that the next instance asks first. */
  #first: number;

  /** @throws ConfigError when a certificate or key file cannot be used. */
  constructor(options: KafkaOptions, log: Logger) {
    selfTest();
    registerCodecs();
    const files = options.tls.enabled ? new TlsFiles(options.tls, 'kafka.tls') : undefined;
    const trouble = new ConnectionTrouble(log, undefined, (broker) =>
      accessMismatch({ ...options, brokers: [broker] }),
    );
    const sasl = saslOptions(options.sasl, trouble);
    this.#brokers = options.brokers;
    this.#first = Math.floor(Math.random() * options.brokers.length);
    this.#config = {
      brokers: options.brokers,
      clientId: options.client_id,
      connectionTimeout: options.connection_timeout,
      authenticationTimeout: options.connection_timeout,
      requestTimeout: options.request_timeout,
      reauthenticationThreshold: REAUTHENTICATE_BEFORE_MS,
      ssl: files !== undefined,
      socketFactory: socketFactory(files, trouble),
      ...(sasl === undefined ? {} : { sasl }),
      logLevel: kafkajs.logLevel.INFO,
      logCreator: () => forwardTo(log, trouble),
    };
  }

  /**
   * A kafkajs instance for one consumer, producer or admin client. They must not share one: kafkajs keeps committed
   * offsets in it. Each instance asks another broker first, so one that hangs does not hold up all.
   *
   * @param requestTimeoutMs request timeout, if shorter than the configured one
   */
  instance(retry: RetryOptions, requestTimeoutMs = Number.POSITIVE_INFINITY): KafkaClients {
    const requestTimeout = Math.min(this.#config.requestTimeout!, requestTimeoutMs);
    const brokers = [...this.#brokers.slice(this.#first), ...this.#brokers.slice(0, this.#first)];
    this.#first = (this.#first + 1) % brokers.length;
    const kafka = new kafkajs.Kafka({ ...this.#config, brokers, retry, requestTimeout });
    return {
      producer: (options) => ofClient(kafka.producer(options)),
      consumer: (options) => ofClient(kafka.consumer(options)),
      admin: (options) => ofClient(kafka.admin(options)),
    };
  }
}

/**
 * Read buffer shared by all sockets: each piece is copied before the next arrives (patch/response-reader.ts). Otherwise
 * each read would allocate memory that only the garbage collector frees, and bring less at a time.
 */
const READ_BUFFER = Buffer.allocUnsafeSlow(256 * 1024);

/** Opens sockets as kafkajs does, but with the certificates now on disk, and reports those that fail. */
function socketFactory(files: TlsFiles | undefined, trouble: ConnectionTrouble): ISocketFactory {
  return ({ host, port, onConnect }) => {
    const name = net.isIP(host) === 0 ? { servername: host } : {};
    const onread: net.OnReadOpts = {
      buffer: READ_BUFFER,
      callback: (bytes) => socket.emit('data', READ_BUFFER.subarray(0, bytes)),
    };
    const to = { host, port, onread };
    const socket: net.Socket =
      files === undefined
        ? net.connect(to, onConnect)
        : tls.connect({ ...to, ...name, ...files.current() }, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
    socket.on('error', (error) => trouble.failed(`${host}:${port}`, error));
    return socket;
  };
}

/**
 * Fields of kafkajs' log entries that are passed on. Others may hold what a login or a fetch has brought
 * (KAFKAJS_LOG_LEVEL=debug in the environment makes it log them).
 */
const FORWARDED = [
  'broker',
  'groupId',
  'memberId',
  'error',
  'correlationId',
  'size',
  'retryCount',
  'retryTime',
];

interface LogEntry {
  readonly namespace: string;
  readonly level: number;
  readonly log: Readonly<Record<string, unknown>> & { readonly message: unknown };
}

/** Forwards kafkajs' log at debug and trace: it logs each retry as an error; Penstock logs what an operator acts on. */
function forwardTo(log: Logger, trouble: ConnectionTrouble) {
  return ({ namespace, level, log: entry }: LogEntry) => {
    const message = entry.message instanceof Error ? entry.message.message : String(entry.message);
    if (level === kafkajs.logLevel.ERROR && saysLoginOrTimeout(namespace, message))
      trouble.failed(String(entry['broker']), message);
    const fields: Record<string, unknown> = { kafkajs: namespace };
    for (const name of FORWARDED) {
      const value = entry[name];
      if (typeof value === 'string' || typeof value === 'number') fields[name] = value;
    }
    if (level <= kafkajs.logLevel.WARN) log.debug(fields, message);
    else log.trace(fields, message);
  };
}

function saslOptions(sasl: KafkaOptions['sasl'], trouble: ConnectionTrouble): KafkaConfig['sasl'] {
  const { mechanism, username = '', password = '' } = sasl;
  switch (mechanism) {
    case 'none':
      return undefined;
    case 'oauthbearer':
      return oauthLogin(new TokenSource(sasl, (url, error) => trouble.failed(url, error)), trouble);
    default:
      return { mechanism, username, password } as SASLOptions;
  }
}
