import { createOwnership } from '../../core/hash/ownership.ts';
import { compileRoutes } from '../../core/route/route.ts';
import { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import type { Metrics } from '../../io/telemetry/metrics.ts';
import { epochMs } from '../../io/time/clock.ts';
import { drainGroupId } from '../../services/drain/assignment.ts';
import type { ExpectedDeployment } from '../../services/status/expected.ts';
import { UnreadWatch, watchedCluster } from '../../services/status/unread-watch.ts';
import { ingestTopics } from '../../services/worker/options.ts';
import type { Config } from '../config/load.ts';

/** Consumer groups that a configuration expects, and the partitions that each should read. */
export function expectedDeployment(config: Config): ExpectedDeployment {
  const routes = compileRoutes(config);
  const { nodes } = config;
  const now = epochMs();
  const taskTopics = [...new Set(routes.map(({ topic }) => topic))].map((topic) => {
    const writers = routes.filter((route) => route.topic === topic);
    return { topic, routes: writers.map(({ name }) => name), count: writers[0]!.count };
  });
  const ownership = nodes.length === 0 ? undefined : createOwnership(taskTopics, nodes, config.ownership);
  return {
    ingest: { topics: ingestTopics(config.worker).map(({ topic }) => topic), group: config.worker.group },
    deadTopic: config.worker.dead_topic,
    taskTopics,
    nodes: nodes.map(({ name, url }) => ({
      node: name,
      url,
      groups: taskTopics.map(({ topic }) => ({
        topic,
        group: drainGroupId(topic, name),
        tasks: ownership!.tasksOf(topic, name, now),
      })),
    })),
  };
}

/** Watch in a worker or drain that reports the deployment's partitions without a reader. */
export function unreadWatch(connection: KafkaConnection, config: Config, metrics: Metrics): UnreadWatch {
  return new UnreadWatch(watchedCluster(new KafkaAdmin(connection)), expectedDeployment(config), metrics);
}
