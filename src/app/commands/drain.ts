import { ConfigError } from '../../core/model/errors.ts';
import { expectedName } from '../../core/model/nearest.ts';
import { compileRoutes } from '../../core/route/route.ts';
import { KafkaConnection } from '../../io/kafka/client/connection.ts';
import { Drain } from '../../services/drain/drain.ts';
import type { DrainSetup } from '../../services/drain/setup.ts';
import type { UnreadWatch } from '../../services/status/unread-watch.ts';
import type { Config } from '../config/load.ts';
import { requireRoutes } from '../config/required-routes.ts';
import { changeInTime } from '../service/reloader.ts';
import { runService } from '../service/service.ts';
import { expectedDeployment, unreadWatch } from './expected-deployment.ts';
import { version } from './version.ts';

const HELP = `
penstock drain [OPTIONS]

The sidecar of one vmagent: forwards the task partitions that hash 2 gives to drain.node (PENSTOCK_DRAIN_NODE)
to that node by remote write. Two or more drains of one node share its partitions.

SIGTERM waits for the requests in flight, commits, leaves the group and exits with 0. SIGHUP or POST /-/reload puts
the changed configuration in force: routes, nodes, their addresses and logins, time limits. Where a key has changed that
takes a restart, the reload is refused and the key named.
`;

export function run(argv: string[]): Promise<number> {
  let watch: UnreadWatch;
  return runService(argv, {
    name: 'drain',
    help: HELP,
    create: (config, metrics, log) => {
      const setup = drainSetup(config);
      const connection = new KafkaConnection(config.kafka, log);
      watch = unreadWatch(connection, config, metrics);
      return new Drain(connection, { ...setup, watch }, metrics, log);
    },
    reload: (drain, config) =>
      changeInTime(async () => {
        const change = await drain.prepare({ ...drainSetup(config), watch });
        return {
          commit: () => {
            change.commit();
            watch.expect(expectedDeployment(config));
          },
          discard: () => change.discard(),
        };
      }),
  });
}

/** @throws ConfigError if the configuration has no routes, no nodes, or lacks the node of this drain */
function drainSetup(config: Config): DrainSetup {
  requireRoutes(config);
  const { drain, nodes, worker } = config;
  if (nodes.length === 0)
    throw new ConfigError('nodes: the list is empty; expected the vmagents to forward to');
  const names = nodes.map(({ name }) => name);
  if (!names.includes(drain.node)) {
    const said = drain.node === '' ? 'missing' : `${drain.node} is not among nodes`;
    throw new ConfigError(`drain.node (or PENSTOCK_DRAIN_NODE): ${said}; ${expectedName(drain.node, names)}`);
  }
  return {
    drain,
    nodes,
    ownership: config.ownership,
    routes: compileRoutes(config),
    deadTopic: worker.dead_topic,
    tenantHeaders: worker.tenant_headers,
    userAgent: `penstock/${version()}`,
  };
}
