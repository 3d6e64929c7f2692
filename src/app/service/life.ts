import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError, errorMessage } from '../../core/model/errors.ts';
import { mismatchBehind } from '../../io/kafka/client/mismatch.ts';
import { refusal } from '../../io/kafka/client/refusal.ts';
import { FatalKafkaError, isRefused } from '../../io/kafka/errors.ts';
import type { Readiness } from '../../io/telemetry/admin-server.ts';
import type { Logger } from '../../io/telemetry/log.ts';
import { monotonicMs } from '../../io/time/clock.ts';
import { Backoff, sleep } from '../../io/time/sleep.ts';
import { DONE, FAILED, WRONG_USAGE } from '../commands/command.ts';
import type { Config } from '../config/load.ts';

/** Runs until it is told to stop: a worker, a supervisor, a drain. */
export interface Service {
  /** Rejects when the service cannot go on. */
  readonly failure: Promise<never>;
  start(): Promise<void>;
  /** Stops by `deadline` (`monotonicMs`). @returns the number of partitions, or processes, cut off in their work */
  stop(deadline: number): Promise<number>;
  /** Brings gauges up to date before a scrape. */
  collect(): void;
  readiness(): Readiness;
  status(): object | Promise<object>;
  /** For a service of several processes: the text of /metrics, and whether all processes answer. */
  scrape?(): Promise<string>;
  health?(): Readiness;
}

export type Phase = 'starting' | 'running' | 'stopping';

/** How a service ended. */
export interface ServiceEnd {
  readonly code: number;
  /** Why it ended, if it was not asked to stop. */
  readonly error?: unknown;
}

const START_BACKOFF_MIN_MS = 500;
const START_BACKOFF_MAX_MS = 10_000;
/** Time after the deadline to report it and end. */
const HARD_STOP_GRACE_MS = 3_000;
/** Time for the leftovers of a stopped service to end by themselves before the process exits. */
const LINGER_MS = 1_000;

/**
 * Runs a service until `asked` resolves or it fails, and stops it. At the start it waits for Kafka; a failure that only
 * an operator can fix ends it.
 */
export async function live(
  service: Service,
  life: {
    readonly name: string;
    /** The configuration in force. */
    readonly config: () => Config;
    readonly log: Logger;
    readonly asked: Promise<unknown>;
    readonly onPhase: (phase: Phase) => void;
  },
): Promise<ServiceEnd> {
  const { name, config, log, asked, onPhase } = life;
  const stopping = new AbortController();
  const start = { onStarted: () => onPhase('running'), stopping: stopping.signal };
  const ended = await Promise.race([
    asked.then(() => undefined),
    startPatiently(service, config(), log, start).then(() => service.failure),
    service.failure,
  ]).catch((error: unknown) => ({ error }));

  stopping.abort();
  onPhase('stopping');
  if (ended !== undefined) logEnd(ended.error, name, log);
  const cutOff = await stopInTime(service, config().stop_deadline);
  if (cutOff > 0) log.error({ cutOff }, 'stopped at the deadline with work in flight; it is done again');
  else log.info('stopped');
  if (ended?.error instanceof ConfigError) return { code: WRONG_USAGE, ...ended };
  return { code: ended !== undefined || cutOff > 0 ? FAILED : DONE, ...ended };
}

/** Errors that only an operator can fix: reported in one line. Any other error that ends a service is a defect. */
export function isForTheOperator(error: unknown): error is Error {
  return error instanceof FatalKafkaError || error instanceof ConfigError;
}

/**
 * Ends the process even if something still waits: closing a kafkajs client does not cancel all of its lookups, such as
 * that for the coordinator of a group or a transaction.
 */
export function endSoon(code: number, log: Logger): void {
  const end = () => {
    log.debug({ waiting: process.getActiveResourcesInfo() }, 'ending although something still waits');
    process.exit(code);
  };
  setTimeout(end, LINGER_MS).unref();
}

/** Resolves at the first SIGTERM or SIGINT; the second ends the process at once. */
export function signalled(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    let seen = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (seen) process.exit(FAILED);
        seen = true;
        log.info({ signal }, 'stopping: finishing what is in flight');
        resolve();
      });
    }
  });
}

function logEnd(error: unknown, name: string, log: Logger): void {
  log.fatal(isForTheOperator(error) ? {} : { err: error }, `${name} cannot go on: ${errorMessage(error)}`);
}

/**
 * Starts the service, waiting for Kafka. Credentials and certificates refused here were never right: that ends the
 * process. Later a refusal is waited out, since one side renews them before the other. Ends when the service stops.
 */
async function startPatiently(
  service: Service,
  { kafka }: Config,
  log: Logger,
  { onStarted, stopping }: { readonly onStarted: () => void; readonly stopping: AbortSignal },
): Promise<void> {
  const backoff = new Backoff(START_BACKOFF_MIN_MS, START_BACKOFF_MAX_MS);
  while (!stopping.aborted) {
    try {
      await service.start();
      if (!stopping.aborted) onStarted();
      return;
    } catch (error) {
      if (stopping.aborted) return;
      if (error instanceof FatalKafkaError) throw error;
      const mismatch = await mismatchBehind(error, kafka);
      if (mismatch !== undefined) throw new FatalKafkaError(mismatch, { cause: error });
      if (isRefused(error)) throw new FatalKafkaError(refusal(error, kafka), { cause: error });
      const pause = backoff.next();
      log.warn(
        { error: errorMessage(error), retryInMs: Math.round(pause) },
        'no connection to Kafka yet; waiting for it (kafka.brokers, kafka.tls and kafka.sasl say where and how)',
      );
      await sleep(pause, stopping);
    }
  }
}

async function stopInTime(service: Service, stopDeadlineMs: number): Promise<number> {
  const deadline = monotonicMs() + stopDeadlineMs;
  const late = delay(stopDeadlineMs + HARD_STOP_GRACE_MS, 1, { ref: false });
  return await Promise.race([service.stop(deadline), late]);
}
