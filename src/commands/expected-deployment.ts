import type { Config } from '../config/load.ts';
import { drainGroupId } from '../drain/assignment.ts';
import { createOwnership } from '../hash/ownership.ts';
import { ingestTopics } from '../ingest/options.ts';
import { KafkaAdmin } from '../kafka/admin.ts';
import type { KafkaConnection } from '../kafka/client.ts';
import { compileRoutes } from '../route.ts';
import type { ExpectedDeployment } from '../status/expected.ts';
import { UnreadWatch, watchedCluster } from '../status/unread-watch.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** Which groups a configuration wants to read which partitions. */
export function expectedDeployment(config: Config): ExpectedDeployment {
  const routes = compileRoutes(config);
  const names = config.nodes.map(({ name }) => name);
  const now = Date.now();
  const taskTopics = [...new Set(routes.map(({ topic }) => topic))].map((topic) => {
    const writers = routes.filter((route) => route.topic === topic);
    return { topic, routes: writers.map(({ name }) => name), count: writers[0]!.count };
  });
  const ownership = names.length === 0 ? undefined : createOwnership(taskTopics, names, config.ownership);
  return {
    ingest: { topics: ingestTopics(config.ingest).map(({ topic }) => topic), group: config.ingest.group },
    deadTopic: config.ingest.dead_topic,
    taskTopics,
    nodes: config.nodes.map(({ name, url }) => ({
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

/** What says, from a worker or a drain, which partitions of the deployment nobody reads. */
export function unreadWatch(connection: KafkaConnection, config: Config, metrics: Metrics): UnreadWatch {
  return new UnreadWatch(watchedCluster(new KafkaAdmin(connection)), expectedDeployment(config), metrics);
}
