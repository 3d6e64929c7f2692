import { setTimeout as delay } from 'node:timers/promises';
import { type Config, loadConfig } from '../config/load.ts';
import { isRefused, KafkaSetupError } from '../kafka/errors.ts';
import { refusal } from '../kafka/refusal.ts';
import { errorMessage } from '../model/errors.ts';
import { Backoff } from '../model/sleep.ts';
import { splitAddress } from '../option-types.ts';
import { AdminServer, type Readiness } from '../telemetry/admin-server.ts';
import { createLog, type Logger } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { DONE, FAILED, parseCommand } from './command.ts';

/** What runs until it is told to stop: a worker, a drain. */
export interface Service {
  /** Rejects when the service cannot go on. */
  readonly failure: Promise<never>;
  start(): Promise<void>;
  /** Stops within `deadline` (ms since the epoch). @returns how many partitions were cut off in their work. */
  stop(deadline: number): Promise<number>;
  /** Brings gauges up to date before a scrape. */
  collect(): void;
  readiness(): Readiness;
  status(): unknown;
}

export interface ServiceSpec<S extends Service> {
  readonly name: string;
  readonly help: string;
  readonly create: (config: Config, metrics: Metrics, log: Logger) => S;
  /** Puts a new configuration in force, as far as that goes without a restart. Absent: nothing to reload. */
  readonly reload?: (service: S, config: Config) => Promise<void>;
}

const START_BACKOFF_MIN_MS = 500;
const START_BACKOFF_MAX_MS = 10_000;
/** Beyond the deadline, time to say so and end. */
const HARD_STOP_GRACE_MS = 3_000;
/** What is left of a stopped service may end by itself in this time. */
const LINGER_MS = 1_000;

/**
 * Runs a service: configuration, log, admin server, signals, exit code.
 *
 * SIGTERM and SIGINT stop it softly; a second one ends it at once. SIGHUP and POST /-/reload load the
 * configuration anew. Kafka being away at the start is waited out; what only an operator can mend ends it.
 */
export async function runService<S extends Service>(argv: string[], spec: ServiceSpec<S>): Promise<number> {
  const args = parseCommand(argv, { name: spec.name, help: spec.help });
  if (args === undefined) return DONE;
  const load = () => loadConfig({ file: args.configFile, env: process.env });
  const config = load();
  const log = createLog(config.log.level, spec.name);
  const metrics = new Metrics();
  const service = spec.create(config, metrics, log);

  let phase: 'starting' | 'running' | 'stopping' = 'starting';
  const apply = spec.reload;
  const reload = apply && reloader(() => apply(service, load()), metrics, log);
  const admin = new AdminServer({
    listen: splitAddress(config.admin.listen),
    registry: metrics.registry,
    collect: () => service.collect(),
    readiness: () =>
      phase === 'running' ? service.readiness() : { ready: false, reason: `${spec.name} is ${phase}` },
    status: () => ({ command: spec.name, phase, pid: process.pid, ...(service.status() as object) }),
    ...(reload === undefined ? {} : { reload }),
  });
  log.info({ admin: await admin.start(), config: args.configFile }, `${spec.name} starts`);

  const stopSignal = signalled(log);
  process.on('SIGHUP', () => void reload?.());
  const ended = await Promise.race([
    stopSignal,
    startPatiently(service, config, log, () => {
      phase = 'running';
    }).then(() => service.failure),
    service.failure,
  ]).catch((error: unknown) => ({ error }));

  phase = 'stopping';
  const failed = typeof ended === 'object';
  if (failed) logEnd(ended.error, spec.name, log);
  const cutOff = await stopInTime(service, config.stop_deadline);
  await admin.close();
  if (cutOff > 0)
    log.error({ partitions: cutOff }, 'stopped at the deadline with work in flight; it is done again');
  else log.info('stopped');
  const code = failed || cutOff > 0 ? FAILED : DONE;
  endSoon(code, log);
  return code;
}

/**
 * Ends the process although something still waits. kafkajs does not give up some of its searches, such as for the
 * coordinator of a group or a transaction, when the client that began them is closed.
 */
function endSoon(code: number, log: Logger): void {
  const end = () => {
    log.debug({ waiting: process.getActiveResourcesInfo() }, 'ending although something still waits');
    process.exit(code);
  };
  setTimeout(end, LINGER_MS).unref();
}

/** Resolves at the first SIGTERM or SIGINT; the second ends the process at once. */
function signalled(log: Logger): Promise<'signal'> {
  return new Promise((resolve) => {
    let seen = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (seen) process.exit(FAILED);
        seen = true;
        log.info({ signal }, 'stopping: finishing what is in flight');
        resolve('signal');
      });
    }
  });
}

/** What the operator has to mend is told in a line; only a defect of Penstock's shows where it happened. */
function logEnd(error: unknown, name: string, log: Logger): void {
  const fields = error instanceof KafkaSetupError ? {} : { err: error };
  log.fatal(fields, `${name} cannot go on: ${errorMessage(error)}`);
}

/**
 * Credentials and certificates that are refused here were never right: that ends the process. Once it runs the
 * same is waited out, since they are renewed on one side before the other.
 */
async function startPatiently(
  service: Service,
  { kafka }: Config,
  log: Logger,
  onStarted: () => void,
): Promise<void> {
  const backoff = new Backoff(START_BACKOFF_MIN_MS, START_BACKOFF_MAX_MS);
  for (;;) {
    try {
      await service.start();
      onStarted();
      return;
    } catch (error) {
      if (error instanceof KafkaSetupError) throw error;
      if (isRefused(error)) throw new KafkaSetupError(refusal(error, kafka), { cause: error });
      const pause = backoff.next();
      log.warn(
        { error: errorMessage(error), retryInMs: Math.round(pause) },
        'no connection to Kafka yet; waiting for it (kafka.brokers, kafka.tls and kafka.sasl say where and how)',
      );
      await delay(pause);
    }
  }
}

async function stopInTime(service: Service, stopDeadlineMs: number): Promise<number> {
  const deadline = Date.now() + stopDeadlineMs;
  const late = delay(stopDeadlineMs + HARD_STOP_GRACE_MS, 1, { ref: false });
  return await Promise.race([service.stop(deadline), late]);
}

/** A reload that answers with what was wrong. An invalid configuration leaves the old one in force. */
function reloader(
  apply: () => Promise<void>,
  metrics: Metrics,
  log: Logger,
): () => Promise<string | undefined> {
  return async () => {
    try {
      await apply();
      metrics.reloads.inc({ result: 'applied' });
      log.info('configuration reloaded');
      return undefined;
    } catch (error) {
      metrics.reloads.inc({ result: 'refused' });
      log.error(
        { error: errorMessage(error) },
        'the new configuration was refused; the old one stays in force',
      );
      return errorMessage(error);
    }
  };
}
