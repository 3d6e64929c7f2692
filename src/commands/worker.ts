import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { Config } from '../config/load.ts';
import { requireRoutes } from '../config/required-routes.ts';
import { Worker } from '../ingest/worker.ts';
import { KafkaConnection } from '../kafka/client.ts';
import { compileRoutes } from '../route.ts';
import { Supervisor } from '../supervisor/supervisor.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { unreadWatch } from './expected-deployment.ts';
import { runService } from './service.ts';
import { runSupervised } from './supervised.ts';

const HELP = `
penstock worker [OPTIONS]

Reads the ingest topic as a member of its consumer group, and writes every series to the task topics of the
routes that match it. Start as many as you like; the partitions of the ingest topic are the ceiling. With
worker.processes it is several processes on this machine, under a supervisor.

SIGTERM finishes and commits what is in flight, leaves the group and exits with 0. SIGHUP or POST /-/reload
puts changed routes and relabeling in force.
`;

/** What the supervisor puts before a process' arguments; its number follows. */
const PROCESS = '--process';

export function run(argv: string[]): Promise<number> {
  const [first, index, ...rest] = argv;
  return first === PROCESS ? runProcess(Number(index), rest) : runWorker(argv);
}

function runWorker(argv: string[]): Promise<number> {
  return runService<Worker | Supervisor>(argv, {
    name: 'worker',
    help: HELP,
    create: (config, metrics, log) => {
      // With a supervisor this one is not started: it is made since it refuses what the processes would.
      const worker = createWorker(config, metrics, log);
      const processes = processCount(config);
      return processes === 1 ? worker : createSupervisor(processes, config, metrics, log);
    },
    reload: (service, config) => {
      const routes = compileRoutes(config);
      return service instanceof Worker ? service.reload(routes) : service.reload(config.texts);
    },
  });
}

function runProcess(index: number, argv: string[]): Promise<number> {
  return runSupervised(index, argv, {
    name: 'worker',
    create: (config, metrics, log) =>
      createWorker(config, metrics, log, `${config.kafka.client_id}-${index}`),
    reload: (worker, config) => worker.reload(compileRoutes(config)),
  });
}

function createWorker(
  config: Config,
  metrics: Metrics,
  log: Logger,
  clientId = config.kafka.client_id,
): Worker {
  requireRoutes(config);
  const { ingest, registry } = config;
  const connection = new KafkaConnection({ ...config.kafka, client_id: clientId }, log);
  const watch = unreadWatch(connection, config, metrics);
  return new Worker(connection, { ingest, registry, routes: compileRoutes(config), watch }, metrics, log);
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
