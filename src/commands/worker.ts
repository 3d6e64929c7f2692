import { Worker } from '../ingest/worker.ts';
import { KafkaConnection } from '../kafka/client.ts';
import { compileRoutes } from '../route.ts';
import { runService } from './service.ts';

const HELP = `
penstock worker [OPTIONS]

Reads the ingest topic as a member of its consumer group, and writes every series to the task topics of the
routes that match it. Start as many as you like; the partitions of the ingest topic are the ceiling.

SIGTERM finishes and commits what is in flight, leaves the group and exits with 0. SIGHUP or POST /-/reload
puts changed routes and relabeling in force.
`;

export function run(argv: string[]): Promise<number> {
  return runService(argv, {
    name: 'worker',
    help: HELP,
    create: (config, metrics, log) => {
      const { ingest, registry } = config;
      const options = { ingest, registry, routes: compileRoutes(config) };
      return new Worker(new KafkaConnection(config.kafka, log), options, metrics, log);
    },
    reload: (worker, config) => worker.reload(compileRoutes(config)),
  });
}
