import { connect } from 'node:net';
import { errorMessage, RetryableError } from '../../core/model/errors.ts';
import { printableLines } from '../../core/model/printable.ts';
import { splitAddress } from '../../core/options/address.ts';
import { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import { KafkaConnection } from '../../io/kafka/client/connection.ts';
import { mismatchBehind } from '../../io/kafka/client/mismatch.ts';
import type { KafkaOptions } from '../../io/kafka/client/options.ts';
import { refusal } from '../../io/kafka/client/refusal.ts';
import { FatalKafkaError, isRefused } from '../../io/kafka/errors.ts';
import { createLog } from '../../io/telemetry/log.ts';
import { epochMs } from '../../io/time/clock.ts';
import { sleep, within } from '../../io/time/sleep.ts';
import { type Config, loadConfig } from '../config/load.ts';
import { FAILED } from './command.ts';
import { StatusLine } from './text/status-line.ts';

export interface SessionOptions {
  /** Timeout of the work, in ms. 0 (default): none. */
  readonly timeoutMs?: number;
}

/** What the actions of a command work with. */
export interface KafkaSession {
  readonly config: Config;
  readonly connection: KafkaConnection;
  readonly admin: KafkaAdmin;
  readonly json: boolean;
  readonly line: StatusLine;
  /** The system's time. */
  readonly nowMs: () => number;
}

/** Runs an action of a command with the configuration of its arguments. */
export async function withSession(
  command: string,
  { configFile, json }: { readonly configFile: string; readonly json: boolean },
  action: (session: KafkaSession) => Promise<number>,
): Promise<number> {
  const config = loadConfig({ file: configFile, env: process.env });
  return await withKafkaAdmin(command, config.kafka, (admin, connection) =>
    action({ config, connection, admin, json, line: new StatusLine(), nowMs: epochMs }),
  );
}

/** After this long without an answer from Kafka, the command says that it is still trying. */
const SILENT_MS = 5_000;
/** Time for connections, and for work that was given up, to end. */
const LINGER_MS = 1_000;
const REACH_MS = 1_000;

/**
 * Runs a one-shot command against Kafka and returns its exit code. Trouble with Kafka is reported in a line that says
 * what to do, and returns FAILED.
 */
export async function withKafkaAdmin(
  command: string,
  kafka: KafkaOptions,
  work: (admin: KafkaAdmin, connection: KafkaConnection) => Promise<number>,
  { timeoutMs = 0 }: SessionOptions = {},
): Promise<number> {
  // No log: standard output is the command's result, and what kafkajs would log arrives as errors.
  const connection = new KafkaConnection(kafka, createLog('silent', command));
  const admin = new KafkaAdmin(connection);
  const say = (text: string) => void process.stderr.write(`penstock ${command}: ${printableLines(text)}\n`);
  const done = new AbortController();
  try {
    const worked = connected(admin, kafka, (text) => done.signal.aborted || say(text)).then(() =>
      work(admin, connection),
    );
    return await Promise.race([worked, ...(timeoutMs === 0 ? [] : [late(kafka, timeoutMs, done.signal)])]);
  } catch (error) {
    const told = (await mismatchBehind(error, kafka)) ?? explain(error, kafka);
    if (told === undefined) throw error;
    say(told);
    return FAILED;
  } finally {
    done.abort();
    await within(
      admin.close().catch(() => undefined),
      LINGER_MS,
    );
  }
}

/** Connects, and says so if the first answer takes long: when Kafka hangs, kafkajs retries for minutes. */
async function connected(
  admin: KafkaAdmin,
  kafka: KafkaOptions,
  say: (text: string) => unknown,
): Promise<void> {
  const text = `${nameOf(kafka)} has not answered for ${SILENT_MS / 1000} s; still trying (Ctrl-C ends it)`;
  const timer = setTimeout(() => say(text), SILENT_MS);
  try {
    await admin.client();
  } finally {
    clearTimeout(timer);
  }
}

async function late(kafka: KafkaOptions, timeoutMs: number, signal: AbortSignal): Promise<never> {
  await sleep(timeoutMs, signal);
  // kafkajs continues what it has begun even after its client is closed: the process does not wait for that.
  if (!signal.aborted) setTimeout(() => process.exit(FAILED), REACH_MS + 2 * LINGER_MS).unref();
  const reached = signal.aborted ? [] : await Promise.all(kafka.brokers.map(reach));
  throw new FatalKafkaError(
    `${nameOf(kafka)} has not answered all that was asked within ${timeoutMs / 1000} s (--timeout); ${reached.join('; ')}`,
  );
}

/** Tries a TCP connection to a broker, and describes the outcome. */
async function reach(broker: string): Promise<string> {
  const { host, port } = splitAddress(broker);
  const socket = connect({ host, port });
  const outcome = Promise.withResolvers<string>();
  socket.on('connect', () => outcome.resolve(`${broker} takes connections: it hangs, or is slow`));
  socket.on('error', ({ message }) => outcome.resolve(`${broker}: ${message}`));
  const timer = setTimeout(() => outcome.resolve(`${broker} takes no connection from here`), REACH_MS);
  const text = await outcome.promise;
  clearTimeout(timer);
  socket.destroy();
  return text;
}

function nameOf({ brokers }: KafkaOptions): string {
  return `Kafka (${brokers.join(', ')})`;
}

function explain(error: unknown, kafka: KafkaOptions): string | undefined {
  if (error instanceof FatalKafkaError) return error.message;
  if (isRefused(error)) return refusal(error, kafka);
  if (!(error instanceof Error)) return undefined;
  if (!error.name.startsWith('KafkaJS') && !(error instanceof RetryableError)) return undefined;
  return `${nameOf(kafka)}: ${errorMessage(error)}; is it running, and are kafka.brokers and kafka.tls right?`;
}
