import { connect } from 'node:net';
import { errorMessage, RetryableError } from '../../core/model/errors.ts';
import { printableLines } from '../../core/model/printable.ts';
import { splitAddress } from '../../core/options/address.ts';
import { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import { KafkaConnection } from '../../io/kafka/client.ts';
import { FatalKafkaError, isRefused } from '../../io/kafka/errors.ts';
import { mismatchBehind } from '../../io/kafka/mismatch.ts';
import type { KafkaOptions } from '../../io/kafka/options.ts';
import { refusal } from '../../io/kafka/refusal.ts';
import { createLog } from '../../io/telemetry/log.ts';
import { sleep } from '../../io/time/sleep.ts';
import { FAILED } from './command.ts';

export interface SessionOptions {
  /** The work is given up after this, in ms. 0 (default): never. */
  readonly timeoutMs?: number;
}

/** A command that has heard nothing of Kafka for so long says so. */
const SILENT_MS = 5_000;
/** What is left of a command that was given up, or of its connections, may end in this time. */
const LINGER_MS = 1_000;
const REACH_MS = 1_000;

/**
 * Runs a command that asks Kafka and ends. Gives the command's exit code; trouble with Kafka is told in a line
 * that says what to do, and is FAILED.
 */
export async function withKafkaAdmin(
  command: string,
  kafka: KafkaOptions,
  work: (admin: KafkaAdmin) => Promise<number>,
  { timeoutMs = 0 }: SessionOptions = {},
): Promise<number> {
  // Standard output is the command's result; what kafkajs would say comes as errors.
  const admin = new KafkaAdmin(new KafkaConnection(kafka, createLog('silent', command)));
  const say = (text: string) => void process.stderr.write(`penstock ${command}: ${printableLines(text)}\n`);
  const done = new AbortController();
  try {
    const worked = connected(admin, kafka, (text) => done.signal.aborted || say(text)).then(() =>
      work(admin),
    );
    return await Promise.race([worked, ...(timeoutMs === 0 ? [] : [late(kafka, timeoutMs, done.signal)])]);
  } catch (error) {
    const told = (await mismatchBehind(error, kafka)) ?? explain(error, kafka);
    if (told === undefined) throw error;
    say(told);
    return FAILED;
  } finally {
    done.abort();
    await closed(admin);
  }
}

/** The first answer may take long where Kafka hangs: kafkajs tries for minutes. */
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
  // kafkajs goes on with what it has begun, also for a client that is closed: the process does not wait for that.
  if (!signal.aborted) setTimeout(() => process.exit(FAILED), REACH_MS + 2 * LINGER_MS).unref();
  const reached = signal.aborted ? [] : await Promise.all(kafka.brokers.map(reach));
  throw new FatalKafkaError(
    `${nameOf(kafka)} has not answered all that was asked within ${timeoutMs / 1000} s (--timeout); ${reached.join('; ')}`,
  );
}

/** Whether anything listens at an address of a broker. */
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

async function closed(admin: KafkaAdmin): Promise<void> {
  const lingered = new AbortController();
  await Promise.race([admin.close().catch(() => undefined), sleep(LINGER_MS, lingered.signal)]);
  lingered.abort();
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
