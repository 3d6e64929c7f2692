import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import type { PreparedChange } from '../../core/model/prepared-change.ts';
import { type CompiledRoute, compileRoutes } from '../../core/route/route.ts';
import { KafkaConnection } from '../../io/kafka/client/connection.ts';
import type { Logger } from '../../io/telemetry/log.ts';
import type { Metrics } from '../../io/telemetry/metrics.ts';
import type { UnreadWatch } from '../../services/status/unread-watch.ts';
import { Supervisor } from '../../services/supervisor/supervisor.ts';
import { Worker, type WorkerSetup } from '../../services/worker/worker.ts';
import type { Config } from '../config/load.ts';
import { requireRoutes } from '../config/required-routes.ts';
import { changeInTime } from '../service/reloader.ts';
import { runService } from '../service/service.ts';
import { runSupervised } from '../service/supervised.ts';
import { expectedDeployment, unreadWatch } from './expected-deployment.ts';

const HELP = `
penstock worker [OPTIONS]

Reads the ingest topic as a member of its consumer group, and writes every series to the task topics of the
routes that match it. Start as many as you like; the partitions of the ingest topic are the ceiling. With
worker.processes it is several processes on this machine, under a supervisor.

SIGTERM finishes and commits what is in flight, leaves the group and exits with 0. SIGHUP or POST /-/reload puts the
changed configuration in force between two steps: routes, limits, encodings, ingest topics. Where a key has changed that
takes a restart, the reload is refused and the key named.
`;

/** First argument of a supervised process; its index follows. */
const PROCESS = '--process';

export function run(argv: string[]): Promise<number> {
  const [first, index, ...rest] = argv;
  return first === PROCESS ? runProcess(Number(index), rest) : runWorker(argv);
}

function runWorker(argv: string[]): Promise<number> {
  const settings = new WorkerSettings();
  return runService<Worker | Supervisor>(argv, {
    name: 'worker',
    help: HELP,
    create: (config, metrics, log) => {
      // With a supervisor it is constructed only to validate: it rejects what the processes would reject.
      const worker = createWorker(settings, config, metrics, log);
      const processes = processCount(config);
      return processes === 1 ? worker : createSupervisor(processes, config, metrics, log);
    },
    reload: (service, config) =>
      service instanceof Worker
        ? changeInTime(() => settings.prepare(service, config))
        : service.reload(config.texts),
  });
}

function runProcess(index: number, argv: string[]): Promise<number> {
  const settings = new WorkerSettings();
  return runSupervised(index, argv, {
    name: 'worker',
    create: (config, metrics, log) =>
      createWorker(settings, config, metrics, log, `${config.kafka.client_id}-${index}`),
    prepare: (worker, config) => settings.prepare(worker, config),
  });
}

function createWorker(
  settings: WorkerSettings,
  config: Config,
  metrics: Metrics,
  log: Logger,
  clientId = config.kafka.client_id,
): Worker {
  requireRoutes(config);
  const connection = new KafkaConnection({ ...config.kafka, client_id: clientId }, log);
  const watch = unreadWatch(connection, config, metrics);
  return new Worker(connection, settings.of(config, watch), metrics, log);
}

/** Derives a worker's options from a configuration. */
class WorkerSettings {
  #routes: { readonly of: Config['routes']; readonly compiled: readonly CompiledRoute[] } | undefined;
  #watch: UnreadWatch | undefined;

  of(config: Config, watch = this.#watch): WorkerSetup {
    const { worker, registry, routes } = config;
    this.#watch = watch;
    // Compiled again only if they have changed, so that what is known of series survives other reloads.
    if (!isDeepStrictEqual(this.#routes?.of, routes))
      this.#routes = { of: routes, compiled: compileRoutes(config) };
    return { worker, registry, routes: this.#routes!.compiled, ...(watch && { watch }) };
  }

  async prepare(worker: Worker, config: Config): Promise<PreparedChange> {
    requireRoutes(config);
    const change = await worker.prepare(this.of(config));
    return {
      commit: () => {
        change.commit();
        this.#watch?.expect(expectedDeployment(config));
      },
      discard: () => change.discard(),
    };
  }
}

function processCount({ worker: { processes } }: Config): number {
  return processes === 'auto' ? availableParallelism() : processes;
}

function createSupervisor(processes: number, config: Config, metrics: Metrics, log: Logger): Supervisor {
  const [, program] = process.argv;
  const spawn = (index: number) =>
    fork(program!, ['worker', PROCESS, String(index), '-c', config.file], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  return new Supervisor({ processes, spawn, texts: config.texts }, metrics, log);
}
